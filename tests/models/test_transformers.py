from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from er_bench.core.completion import Completion
from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import ConfigError, DataError, UsageError
from er_bench.core.family import Reply, Request
from er_bench.core.message import Message, user
from er_bench.core.model import ModelSettings
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Image, Text, Video
from er_bench.data.media import FrameCache
from er_bench.data.rows import BytesBlob
from er_bench.models.internvl.engine import InternVLEngine
from er_bench.models.internvl.load import load
from er_bench.models.internvl.pictures import InternVLArgs, see
from er_bench.models.internvl.tiny import make_tiny
from er_bench.models.settings import DeviceArgs, placement
from er_bench.models.transformers import TransformersModel, build


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("tiny") / "checkpoint", tile_px=56, std=0.3)


def photo(width: int, height: int, name: str = "photo.png") -> Image:
    draw = np.random.default_rng(width)
    pixels = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, "PNG")
    return Image(BytesBlob(name, out.getvalue()))


def prompt(*parts: Any, tokens: int | None = 8, **more: Any) -> Prompt:
    return Prompt((user(*parts),), Expect.TEXT, Decoding(max_new_tokens=tokens), **more)


PROMPTS = [
    prompt("One word."),
    prompt(photo(60, 40), "Point to the red cube."),
    prompt(photo(61, 40), photo(20, 80), "How many circles are there in these two?"),
    prompt(photo(200, 30), "A"),
    prompt(photo(62, 62), "Which is nearer?", max_tiles=2),
]


def settings(folder: Path, **args: Any) -> ModelSettings:
    args = {"device": "cpu", **args}
    return ModelSettings("tiny", str(folder), None, BENCHMARK, Decoding(), Decoding(), args)


def ask(model: TransformersModel, prompts: Sequence[Prompt]) -> list[Completion | BaseException]:
    async def run() -> list[Completion | BaseException]:
        try:
            return await asyncio.gather(*map(model.ask, prompts), return_exceptions=True)
        finally:
            await model.close()

    return asyncio.run(run())


def texts(found: Sequence[Completion | BaseException]) -> list[str]:
    return [f.text for f in found if isinstance(f, Completion)]


def test_a_padded_batch_answers_as_one_at_a_time(folder: Path) -> None:
    together = ask(build(settings(folder, batch_size=5)), PROMPTS)
    alone = ask(build(settings(folder, batch_size=1)), PROMPTS)
    assert len(texts(together)) == len(PROMPTS)
    assert texts(together) == texts(alone)
    assert len(set(texts(alone))) == len(PROMPTS)


def test_a_batch_of_engine_requests_is_the_engine_one_by_one(folder: Path) -> None:
    engine = InternVLEngine(load(folder), InternVLArgs())
    requests = [engine.prepare(p) for p in PROMPTS]
    greedy = Decoding(max_new_tokens=12)
    assert len({r.length for r in requests}) > 3
    assert engine.generate(requests, greedy) == [engine.generate([r], greedy)[0] for r in requests]


def test_images_matter(folder: Path) -> None:
    engine = InternVLEngine(load(folder), InternVLArgs())
    asked = [prompt(photo(width, 40), "Point to it.") for width in (40, 41, 42)]
    found = engine.generate([engine.prepare(p) for p in asked], Decoding(max_new_tokens=12))
    assert len({reply.text for reply in found}) > 1


def test_completions_say_what_was_sent(folder: Path) -> None:
    found = ask(build(settings(folder)), PROMPTS[:3])
    assert all(isinstance(f, Completion) for f in found)
    sizes = [f.image_sizes for f in found if isinstance(f, Completion)]
    assert sizes == [(), ((60, 40),), ((61, 40), (20, 80))]
    for f in found:
        assert isinstance(f, Completion)
        assert f.finish_reason == "length"
        assert f.tokens_out == 8
        assert f.tokens_in is not None
        assert f.tokens_in > 10


def test_unreadable_media_reach_their_own_sample_only(folder: Path) -> None:
    broken = prompt(Image(BytesBlob("broken.png", b"not an image")), "What?")
    found = ask(build(settings(folder)), [PROMPTS[0], broken, PROMPTS[1]])
    assert isinstance(found[1], DataError)
    assert "broken.png" in str(found[1])
    assert len(texts(found)) == 2


def test_running_out_of_memory_halves_the_batch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model itself refuses more than two sequences, as a small GPU would."""
    expected = texts(ask(build(settings(folder, batch_size=1)), PROMPTS))
    sizes: list[int] = []
    generate = InternVLEngine.generate

    def small(self: InternVLEngine, requests: Sequence[Request], decoding: Decoding) -> list[Reply]:
        sizes.append(len(requests))
        if len(requests) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return generate(self, requests, decoding)

    monkeypatch.setattr(InternVLEngine, "generate", small)
    assert texts(ask(build(settings(folder, batch_size=8)), PROMPTS)) == expected
    assert max(sizes) > 2


def test_sampling_with_a_seed_does_not_depend_on_the_neighbours(folder: Path) -> None:
    def with_seed(seed: int, count: int) -> str:
        forced = Decoding(temperature=1.5, seed=seed, max_new_tokens=12)
        made = ModelSettings(
            "tiny", str(folder), None, BENCHMARK, Decoding(), forced, {"device": "cpu"}
        )
        return texts(ask(build(made), PROMPTS[:count]))[0]

    assert with_seed(1, 1) == with_seed(1, 4)
    assert with_seed(1, 1) != with_seed(2, 1)


def test_settings_are_checked_before_anything_is_loaded(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    with pytest.raises(UsageError, match=r"unknown model arguments tiles; .*known: batch_size, .*"):
        build(settings(nowhere, tiles=3))
    with pytest.raises(UsageError, match="batch_size"):
        build(settings(nowhere, batch_size=0))
    with pytest.raises(UsageError, match="no device 'gpu9'"):
        placement(DeviceArgs(device="gpu9"))
    model = build(settings(nowhere))
    with pytest.raises(ConfigError, match="no folder"):
        asyncio.run(model.ask(PROMPTS[0]))


def test_settings_of_another_family_are_refused(folder: Path) -> None:
    (found,) = ask(build(settings(folder, min_pixels=100)), PROMPTS[:1])
    assert isinstance(found, UsageError)
    assert "unknown model arguments min_pixels" in str(found)


def test_identity_leaves_the_machine_out(folder: Path) -> None:
    one = build(settings(folder, batch_size=1, max_tiles=6)).identity()
    many = build(settings(folder, batch_size=32, max_tiles=6)).identity()
    other = build(settings(folder, max_tiles=12)).identity()
    assert one == many
    assert one != other
    assert one["dtype"] == "float32"


def test_precision_follows_the_device() -> None:
    assert placement(DeviceArgs(device="cpu")) == ("cpu", torch.float32)
    assert placement(DeviceArgs(device="cuda:1")) == ("cuda:1", torch.bfloat16)
    assert placement(DeviceArgs(device="cpu", dtype="bfloat16")) == ("cpu", torch.bfloat16)


def tile_limits(prompt: Prompt, args: InternVLArgs) -> list[int]:
    return [medium.max_tiles for medium in see(prompt, args, FrameCache()) for _ in medium.pictures]


def test_tile_limits_come_from_task_then_settings() -> None:
    args = InternVLArgs(max_tiles=12)
    assert tile_limits(prompt(photo(9, 9), "?"), args) == [12]
    assert tile_limits(prompt(photo(9, 9), "?", max_tiles=6), args) == [6]
    two = prompt(photo(9, 9), photo(9, 9), "?")
    assert tile_limits(two, args) == [6, 6]
    assert tile_limits(two, InternVLArgs(multi_image_budget="each")) == [12, 12]


def test_video_frames_are_one_tile_each(folder: Path, tmp_path: Path) -> None:
    import av

    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("h264", rate=10)
        stream.width, stream.height = 64, 48
        for k in range(12):
            frame = np.full((48, 64, 3), k * 20, dtype=np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())
    parts = (Video(path, n_frames=3), Text("What happens?"))
    asked = Prompt((Message("user", parts),), Expect.TEXT)
    assert tile_limits(asked, InternVLArgs()) == [1, 1, 1]
    loaded = load(folder)
    engine = InternVLEngine(loaded, InternVLArgs(system_message="absent"))

    def shown(prompt: Prompt) -> str:
        text = loaded.vocabulary.text(engine.prepare(prompt).payload.ids)
        image = loaded.vocabulary.text(loaded.vocabulary.picture_ids(loaded.tokens_per_tile))
        return text.replace(image, "#").split("user\n")[1].split("<|im_end|>")[0]

    assert engine.prepare(asked).image_sizes == ()
    assert shown(asked) == "Frame1: #\nFrame2: #\nFrame3: #\nWhat happens?"
    named = Prompt((user(Video(path, n_frames=2, label="image")),), Expect.TEXT)
    assert shown(named) == "Image-1: #\nImage-2: #"
