"""Models that count pixels of the picture as the server's processor resized it."""

from __future__ import annotations

import base64
import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from aiohttp import web

import er_bench as api
from er_bench.core.errors import DataError, UsageError
from er_bench.core.geometry import PixelGrid
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.registry import Registry
from er_bench.core.sample import Image, Video
from er_bench.data import media
from er_bench.data.rows import BytesBlob
from er_bench.models.auto.engine import AutoArgs, AutoEngine
from er_bench.models.picture_sending import PictureLimits, to_send
from er_bench.run.open_model import open_model
from tests.chat import ChatServer, completion
from tests.conftest import Command
from tests.data.clips import write_greys
from tests.models.test_auto_vlm import folder as folder
from tests.models.test_auto_vlm import parts as parts
from tests.models.test_openai import ask

GRID = PixelGrid()


def test_the_resize_is_the_processors() -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    rng = random.Random(7)
    for _ in range(3000):
        w, h = (round(rng.choice((20, 90, 700, 9000)) * (0.6 + rng.random())) for _ in "wh")
        if max(w, h) > 60 * min(w, h):
            continue
        grid = PixelGrid(28, 3136, rng.choice((50_176, 1_003_520, 12_845_056)))
        resized_h, resized_w = smart_resize(h, w, 28, grid.min_pixels, grid.max_pixels)
        assert grid.fitted((w, h)) == (resized_w, resized_h)
        settled = grid.settled((w, h))
        assert grid.fitted(settled) == settled
        if max(w, h) < 20 * min(w, h):
            assert settled == (resized_w, resized_h)


def test_what_is_too_narrow_is_refused() -> None:
    with pytest.raises(ValueError, match="5000x20 is too narrow"):
        GRID.fitted((5000, 20))


def patch(width: int, height: int, kind: str = "PNG") -> bytes:
    """Grey, with a red patch in the lower right."""
    pixels = np.full((height, width, 3), 90, np.uint8)
    pixels[height * 2 // 3 : height * 5 // 6, width * 3 // 4 : width * 7 // 8] = (230, 10, 10)
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    ("size", "sent", "limits"),
    [
        ((1600, 1200), (1148, 840), PictureLimits(grid=PixelGrid(max_pixels=1_003_520))),
        ((1600, 1200), (1596, 1204), PictureLimits(grid=GRID)),
        ((1596, 1204), (1596, 1204), PictureLimits(grid=GRID)),
        ((20, 20), (56, 56), PictureLimits(grid=GRID)),
        ((1600, 1200), (784, 588), PictureLimits(longest_side=800, grid=GRID)),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_sent_in_the_size_that_the_server_would_give_it(
    size: tuple[int, int], sent: tuple[int, int], limits: PictureLimits, kind: str
) -> None:
    content = patch(*size, kind)
    found = to_send(content, "p", limits)
    assert (found.size_wh, found.given_wh) == (sent, size)
    with PIL.Image.open(io.BytesIO(found.content)) as picture:
        assert picture.size == sent
    assert (found.content == content) == (size == sent)


def test_a_limit_of_bytes_is_kept_on_the_grid() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    out = io.BytesIO()
    PIL.Image.fromarray(noise).save(out, "JPEG", quality=95)
    found = to_send(out.getvalue(), "p", PictureLimits(most_bytes=20_000, grid=GRID))
    assert len(found.content) <= 20_000
    assert GRID.fitted(found.size_wh) == found.size_wh != (392, 308)


@pytest.mark.parametrize("size", [(200, 100), (61, 47), (20, 30), (28, 28), (400, 40)])
def test_this_process_and_a_server_show_a_picture_at_one_size(
    parts: tuple[Any, Any], size: tuple[int, int]
) -> None:
    content = patch(*size)
    asked = Prompt((user(Image(BytesBlob("p.png", content)), "where?"),), Expect.POINTS)
    here = AutoEngine(*parts, AutoArgs()).prepare(asked)
    grid = PixelGrid(max_pixels=28 * 28 * 20)  # that of the stand-in's processor
    assert here.image_sizes == (to_send(content, "p", PictureLimits(grid=grid)).size_wh,)


def test_a_turned_photo_is_fitted_upright() -> None:
    exif = PIL.Image.Exif()
    exif[media.ORIENTATION] = 6
    with PIL.Image.open(io.BytesIO(patch(1200, 900))) as seen:
        stored, out = seen.transpose(PIL.Image.Transpose.ROTATE_90), io.BytesIO()
    stored.save(out, "JPEG", exif=exif)
    sent = to_send(out.getvalue(), "p", PictureLimits(grid=GRID))
    assert (sent.given_wh, sent.size_wh) == ((1200, 900), GRID.fitted((1200, 900)))
    with PIL.Image.open(io.BytesIO(sent.content)) as picture:
        reds = np.asarray(picture)[..., 0] > 150
    y, x = (k.mean() / n for k, n in zip(np.nonzero(reds), reds.shape, strict=True))
    assert (x, y) == pytest.approx((0.81, 0.75), abs=0.01)


@pytest.mark.parametrize(
    ("size", "limits", "told"),
    [
        ((5000, 20), PictureLimits(grid=GRID), "too narrow to be resized"),
        (
            (300, 200),
            PictureLimits(grid=PixelGrid(28, 10_000, 10_200)),
            "no size in multiples",
        ),
        ((300, 200), PictureLimits(28, grid=GRID), "no size within max_image_side=28 in mult"),
        ((300, 200), PictureLimits(100, grid=PixelGrid(28, 200_704)), "within max_image_side=100"),
    ],
)
def test_a_picture_without_a_size_is_named(
    size: tuple[int, int], limits: PictureLimits, told: str
) -> None:
    with pytest.raises(DataError, match=rf"^a picture of .*{told}.*\(file p\)"):
        to_send(patch(*size), "p", limits)


def test_limits_of_every_kind_are_kept_or_the_picture_is_named() -> None:
    rng, n_sent = np.random.default_rng(23), 0
    for _ in range(200):
        w, h = (int(n) for n in 10 ** rng.uniform(0, 2.6, 2))
        least, most = sorted(int(n) for n in 10 ** rng.uniform(3, 5.3, 2))
        limits = PictureLimits(
            int(rng.integers(28, 500)) if rng.random() < 0.5 else None,
            int(rng.integers(1024, 20_000)) if rng.random() < 0.5 else None,
            PixelGrid(28, least, most) if rng.random() < 0.7 else None,
        )
        try:
            sent = to_send(patch(w, h, str(rng.choice(["JPEG", "PNG"]))), "p", limits)
        except DataError as error:
            assert str(error).startswith(("a picture of", "it does not fit"))
        else:
            n_sent += 1
            assert limits.holds(sent.size_wh, len(sent.content))
            assert max(sent.size_wh) <= (limits.longest_side or 10_000)
            assert limits.grid is None or limits.grid.fitted(sent.size_wh) == sent.size_wh
    assert n_sent > 100


def test_frames_of_a_video_are_within_the_limits(chat_server: ChatServer, tmp_path: Path) -> None:
    clip = write_greys(tmp_path / "clip.mp4", 4)
    asked = Prompt((user(Video(clip, n_frames=2), "say A"),), Expect.LETTER)
    for limits, size in (
        ({}, (64, 48)),
        ({"max_image_side": 32}, (32, 24)),
        ({"max_pixels": 12845056, "dialect": "qwen2_5_vl"}, (56, 56)),
    ):
        args = {"base_url": chat_server.url, **limits}
        dialect = str(args.pop("dialect", "benchmark"))
        model = open_model(Registry(), "openai/x", dialect=dialect, model_args=args)
        (said,) = ask(model, asked)
        assert said.image_sizes == (size, size)


class Pointing:
    """A server whose processor resizes; its model points at the middle of the red it is shown."""

    def __init__(self, grid: PixelGrid) -> None:
        self.grid = grid

    async def __call__(self, body: dict[str, Any], call: int) -> web.StreamResponse:
        parts = body["messages"][-1]["content"]
        url = next(p["image_url"]["url"] for p in parts if p["type"] == "image_url")
        with PIL.Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as found:
            shown = np.asarray(found.convert("RGB").resize(self.grid.fitted(found.size)))
        y, x = (int(k.mean()) for k in np.nonzero(shown[..., 0] > shown[..., 1] + 80))
        said = json.dumps([{"point_2d": [x, y], "label": "red patch"}])
        return completion(f"```json\n{said}\n```")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One row of Where2Place: a picture larger than the server takes, and its patch."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "0.png").write_bytes(patch(1600, 1200))
    pixels = np.zeros((1200, 1600), np.uint8)
    pixels[800:1000, 1200:1400] = 255
    PIL.Image.fromarray(pixels).save(tmp_path / "masks" / "00.jpg", quality=95)
    row = {"question_id": 0, "image": "0.png", "text": "Point at the red patch.", "category": "x"}
    (tmp_path / "point_questions.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


def evaluate(server: ChatServer, data: Path, **more: Any) -> api.Run:
    args = {"base_url": server.url, **more}
    return api.evaluate(
        "openai/qwen", "where2place", data=data, accept_data=True, out=data / "run",
        dialect="qwen2_5_vl", model_args=args,
    )  # fmt: skip


def test_a_right_answer_behind_a_resizing_server_is_right(
    chat_server: ChatServer, data: Path
) -> None:
    chat_server.behave = Pointing(PixelGrid(max_pixels=1_003_520))
    run = evaluate(chat_server, data, max_pixels=1_003_520)
    (record,) = run.records
    assert record.rollout.completion.image_sizes == ((1148, 840),)
    assert run.results.tasks["where2place"].score == pytest.approx(1.0, abs=0.02)
    ((x, y),) = record.judgement["official"].points_px_xy
    assert (round(x, -2), round(y, -2)) == (1300, 900)


def test_a_server_s_resize_that_is_not_said_is_asked_for(
    chat_server: ChatServer, data: Path
) -> None:
    with pytest.raises(UsageError, match=r"--model-args max_pixels=12845056, or what the server"):
        evaluate(chat_server, data)
    assert not chat_server.bodies


@pytest.mark.parametrize(
    ("dialect", "args", "told"),
    [
        ("qwen2_5_vl", {"max_pixels": 1000}, "max_pixels=1000 is less than min_pixels=3136"),
        ("qwen2_5_vl", {"max_pixels": 5000, "min_pixels": 6000}, "less than min_pixels=6000"),
        ("internvl_1000", {"max_tiles": 6, "max_image_side": 500}, "leave max_image_side"),
    ],
)
def test_bounds_that_cannot_be_kept_are_refused(
    dialect: str, args: dict[str, Any], told: str, chat_server: ChatServer
) -> None:
    with pytest.raises(UsageError, match=told):
        open_model(
            Registry(), "openai/x", dialect=dialect, model_args={"base_url": chat_server.url} | args
        )


def test_the_plan_and_the_dialect_say_the_rule(er_bench: Command) -> None:
    args = "base_url=http://localhost:9/v1,max_pixels=1003520"
    told = ("--tasks", "where2place", "--split", "mini", "--limit", "1", "--dry-run")
    plan = er_bench(
        "run", "--model", "qwen2.5-vl-3b", "--backend", "openai", "--model-args", args, *told
    )
    rule = "in multiples of 28, of 3136 to {} pixels"
    assert plan.returncode == 0 and rule.format(1003520) in " ".join(plan.stdout.split())
    assert rule.format(12845056) in er_bench("describe", "qwen2_5_vl").stdout


def test_questions_without_places_need_no_bound(chat_server: ChatServer, tmp_path: Path) -> None:
    run = api.evaluate(
        "openai/qwen", "erqa", split="mini", limit=2, out=tmp_path / "r", dialect="qwen2_5_vl",
        model_args={"base_url": chat_server.url},
    )  # fmt: skip
    assert run.results.tasks["erqa"].n_scored == 2


def test_bounds_that_nothing_is_counted_in_are_refused(chat_server: ChatServer) -> None:
    with pytest.raises(UsageError, match="min_pixels: it takes max_pixels"):
        open_model(
            Registry(), "openai/x", dialect="qwen2_5_vl",
            model_args={"base_url": chat_server.url, "min_pixels": 3136},
        )  # fmt: skip
    for dialect in ("benchmark", "qwen3_vl"):
        with pytest.raises(UsageError, match="max_pixels: models of dialect"):
            open_model(
                Registry(), "openai/x", dialect=dialect,
                model_args={"base_url": chat_server.url, "max_pixels": 1_003_520},
            )  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "expects", "refused"),
    [
        ("benchmark", Expect.POINTS, True),
        ("robobrain2", Expect.BOXES, True),
        ("benchmark", Expect.LETTER, False),
        ("internvl_1000", Expect.POINTS, False),
    ],
)
def test_no_picture_is_shrunk_where_pixels_of_the_whole_are_counted(
    dialect: str, expects: Expect, refused: bool, chat_server: ChatServer
) -> None:
    model = open_model(
        Registry(), "openai/x", dialect=dialect,
        model_args={"base_url": chat_server.url, "max_image_side": 100},
    )  # fmt: skip
    asked = Prompt((user(Image(BytesBlob("p.png", patch(200, 150))), "where?"),), expects)
    if refused:
        with pytest.raises(DataError, match=r"shrink it from 200x150 to 100x75.*p\.png"):
            ask(model, asked)
    else:
        ask(model, asked)
    assert bool(chat_server.bodies) != refused
