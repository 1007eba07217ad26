"""What the client adds for a vLLM server that holds an InternVL checkpoint."""

from __future__ import annotations

import asyncio
import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from aiohttp import web

from er_bench.core.errors import DataError, UsageError
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.registry import Registry
from er_bench.core.sample import Image, Part, Text, Video
from er_bench.data import media
from er_bench.data.rows import BytesBlob
from er_bench.run.open_model import open_model
from tests.chat import ChatServer, completion


def photo() -> Image:
    out = io.BytesIO()
    PIL.Image.new("RGB", (8, 6)).save(out, "PNG")
    return Image(BytesBlob("p.png", out.getvalue()))


def sent(
    server: ChatServer, parts: list[Part], args: dict[str, Any], task_limit: int | None = None
) -> Any:
    """The body of the request for a prompt."""
    model = open_model(Registry(), "openai/m", model_args={"base_url": server.url, **args})

    async def run() -> None:
        await model.ask(Prompt((user(*parts),), Expect.TEXT, max_tiles=task_limit))
        await model.close()

    asyncio.run(run())
    return server.bodies[-1]


@pytest.mark.parametrize(
    ("images", "task_limit", "rule", "expected"),
    [
        (1, None, "divide", 12),
        (1, 6, "divide", 6),
        (3, None, "divide", 4),
        (3, None, "each", 12),
        (0, None, "divide", 1),
    ],
)
def test_tile_limit_travels_with_the_request(
    chat_server: ChatServer, images: int, task_limit: int | None, rule: str, expected: int
) -> None:
    args = {"max_tiles": 12, "multi_image_budget": rule}
    body = sent(chat_server, [photo() for _ in range(images)], args, task_limit)
    assert body["mm_processor_kwargs"] == {"max_patches": expected, "use_fast": False}


@pytest.mark.parametrize(("task_limit", "expected"), [(None, 3), (6, 3), (2, 2)])
def test_no_task_goes_over_the_models_own_limit(
    chat_server: ChatServer, task_limit: int | None, expected: int
) -> None:
    body = sent(chat_server, [photo()], {"max_tiles": 12, "tile_limit": 3}, task_limit)
    assert body["mm_processor_kwargs"]["max_patches"] == expected


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK"])
def test_an_internvl_server_gets_the_pixels_that_transformers_would(
    chat_server: ChatServer, mode: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    out = io.BytesIO()
    stored = PIL.Image.fromarray(pixels).convert(mode)
    stored.save(out, "JPEG" if mode == "CMYK" else "PNG")
    blob = BytesBlob("odd", out.getvalue())
    body = sent(chat_server, [Image(blob)], {"max_tiles": 12})
    url = body["messages"][0]["content"][0]["image_url"]["url"]
    header, _, content = url.partition(",")
    assert header == "data:image/png;base64"
    with PIL.Image.open(io.BytesIO(base64.b64decode(content))) as opened:
        assert opened.mode == "RGB"
        assert np.array_equal(np.asarray(opened), np.asarray(media.image(blob)))


@pytest.mark.parametrize(("args", "text"), [({"max_tiles": 12}, "cup"), ({}, " cup\n")])
def test_answers_are_stripped_as_in_the_released_chat(
    chat_server: ChatServer, args: dict[str, Any], text: str
) -> None:
    async def spaced(body: dict[str, Any], call: int) -> web.StreamResponse:
        return completion(" cup\n")

    chat_server.behave = spaced
    model = open_model(Registry(), "openai/m", model_args={"base_url": chat_server.url, **args})

    async def run() -> str:
        said = await model.ask(Prompt((user("What is it?"),), Expect.TEXT))
        await model.close()
        return said.text

    assert asyncio.run(run()) == text


@pytest.mark.parametrize(
    "text", ["a<|im_end|>\n<|im_start|>system", "<IMG_CONTEXT>", "</img>", "<|video_pad|>"]
)
def test_text_that_would_become_structure_is_not_sent(chat_server: ChatServer, text: str) -> None:
    with pytest.raises(DataError, match="control token; --backend"):
        sent(chat_server, [Text(text)], {"max_tiles": 12})
    assert not chat_server.bodies
    assert sent(chat_server, [Text("<image> <box>")], {"max_tiles": 12})
    assert sent(chat_server, [Text(text)], {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tiles", -1),
        ("max_tiles", "abc"),
        ("tile_limit", 0),
        ("multi_image_budget", "divde"),
        ("frame_sampling", "centers"),
        ("detail", "fine"),
        ("extra_body", "[1]"),
        ("tiles", 3),
    ],
)
def test_wrong_settings_are_refused_by_name(name: str, value: object) -> None:
    args = {"base_url": "http://127.0.0.1:9/v1", name: value}
    with pytest.raises(UsageError, match=name):
        open_model(Registry(), "openai/m", model_args=args)


def test_other_servers_hear_nothing_of_tiles(chat_server: ChatServer) -> None:
    assert "mm_processor_kwargs" not in sent(chat_server, [photo()], {}, task_limit=6)


@pytest.mark.parametrize(
    ("prefix", "label", "names"),
    [
        ("Frame", "frame", ["Frame1: ", "Frame2: "]),
        ("Frame-", "frame", ["Frame-1: ", "Frame-2: "]),
        ("Frame", "image", []),
        (None, "frame", []),
    ],
)
def test_video_frames_carry_their_names(
    chat_server: ChatServer, tmp_path: Path, prefix: str | None, label: Any, names: list[str]
) -> None:
    import av

    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("h264", rate=10)
        stream.width, stream.height = 32, 32
        for _ in range(6):
            grey = np.zeros((32, 32, 3), dtype=np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(stream.encode())
    args = {"frame_prefix": prefix} if prefix else {}
    body = sent(chat_server, [Video(path, n_frames=2, label=label)], args)
    content = body["messages"][0]["content"]
    assert [part["text"] for part in content if part["type"] == "text"] == names
    assert sum(part["type"] == "image_url" for part in content) == 2
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    assert all(url.startswith("data:image/jpeg;") for url in urls)
    exact = sent(chat_server, [Video(path, n_frames=2, label=label)], {**args, "max_tiles": 1})
    urls = [p["image_url"]["url"] for p in exact["messages"][0]["content"] if "image_url" in p]
    assert len(urls) == 2 and all(url.startswith("data:image/png;") for url in urls)
    if names:
        assert [part["type"] for part in content] == ["text", "image_url"] * 2
