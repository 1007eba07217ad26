"""Videos of episodes: H.264 of the frames that were kept, or why there is none."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import PIL.Image
import pytest
from aiohttp.test_utils import TestClient, TestServer
from PIL import ImageChops, ImageStat

import er_bench as api
from er_bench.data.clip import write_clip
from er_bench.data.video import frames_at
from er_bench.report.pages import pictures
from er_bench.report.pages.serve import Viewer


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    out = tmp_path_factory.mktemp("films") / "r"
    return api.evaluate("reference/chance", "home_rearrange", split="mini", limit=2, out=out)


@pytest.fixture
def odd(run: api.Run, tmp_path: Path) -> Path:
    """The run with frames of an odd size, the first episode's second of another shape."""
    folder = tmp_path / "odd"
    shutil.copytree(run.folder, folder)
    for file in folder.glob("frames/*/*/*.jpg"):
        PIL.Image.open(file).resize((121, 75)).save(file)
    sorted(folder.glob("frames/*/*/001.jpg"))[0].write_bytes(_grey((64, 64)))
    return folder


def _grey(size: tuple[int, int]) -> bytes:
    out = BytesIO()
    PIL.Image.new("RGB", size, (128, 128, 128)).save(out, "JPEG")
    return out.getvalue()


def films(page: Path) -> list[dict[str, str] | None]:
    texts = [file.read_text() for file in page.parent.glob("data/*.js")]
    return [s["film"] for text in texts for s in _samples(text)]


def _samples(script: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(script.removeprefix("ER_CHUNK(").removesuffix(");\n"))[
        "samples"
    ]
    return found


def test_a_film_has_a_frame_a_plan_in_order_as_h264(run: api.Run, tmp_path: Path) -> None:
    page = api.write_report([run.folder], out=tmp_path / "report")
    shown = films(page)
    for film, record in zip(shown, run.iter_records(), strict=True):
        assert film is not None
        file = page.parent / film["src"]
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264" and stream.pix_fmt == "yuv420p"
            assert stream.frames == len(record.rollout.turns) > 2
            assert stream.average_rate == 1
        made = frames_at(file, range(len(record.rollout.turns)))
        for frame, turn in zip(made, record.rollout.turns, strict=True):
            kept = PIL.Image.open(run.folder / turn.media[0].file).convert("RGB")
            assert frame.size == kept.size and _apart(frame, kept) < 4


def _apart(one: PIL.Image.Image, other: PIL.Image.Image) -> float:
    """The mean difference of two pictures, 0 to 255."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def test_frames_of_odd_and_other_sizes_are_fitted(odd: Path, tmp_path: Path) -> None:
    page = api.write_report([odd], out=tmp_path / "report")
    for film in films(page):
        assert film is not None
        frames = frames_at(page.parent / film["src"], [0, 1])
        assert [frame.size for frame in frames] == [(122, 76)] * 2


def test_without_an_encoder_the_page_says_why(
    run: api.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    page = api.write_report([run.folder], out=tmp_path / "report")
    assert all(film is not None and "no H.264 encoder" in film["why"] for film in films(page))
    assert not list(page.parent.rglob("*.mp4"))


def test_without_pyav_the_page_says_why(
    run: api.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    page = api.write_report([run.folder], out=tmp_path / "report")
    assert all(film is not None and "er-bench[video]" in film["why"] for film in films(page))


def test_a_frame_that_is_gone_is_told(run: api.Run, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    shutil.copytree(run.folder, folder)
    gone = sorted(folder.glob("frames/*/*/003.jpg"))
    for file in gone:
        file.unlink()
    page = api.write_report([folder], out=tmp_path / "report")
    assert gone and all(film is not None and "003.jpg" in film["why"] for film in films(page))
    assert not list(page.parent.rglob("*.mp4"))


def test_a_run_without_frames_has_no_film(run: api.Run, tmp_path: Path) -> None:
    out = tmp_path / "none"
    made = api.evaluate(
        "reference/chance", "home_rearrange", split="mini", limit=1, frames="none", out=out
    )
    assert films(api.write_report([made.folder], out=tmp_path / "report")) == [None]


def test_one_file_says_why_it_holds_none(run: api.Run, tmp_path: Path) -> None:
    page = api.write_report([run.folder], out=tmp_path / "r.html", single=True)
    assert "one file holds no videos" in page.read_text()


def test_view_makes_a_film_once_when_it_is_asked_for(
    run: api.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def counted(file: Path, *rest: Any, **named: Any) -> None:
        made.append(file)
        write_clip(file, *rest, **named)

    monkeypatch.setattr(pictures, "write_clip", counted)
    viewer = Viewer(run.folder)
    (name,) = viewer.names
    source = _samples(viewer.data(name))[0]["film"]["src"]
    assert made == []

    async def ask() -> None:
        async with TestClient(TestServer(viewer.app())) as client:
            whole, again = await asyncio.gather(*(client.get(f"/{source}") for _ in "12"))
            assert whole.status == 200 and whole.content_type == "video/mp4"
            assert await whole.read() == await again.read()
            part = await client.get(f"/{source}", headers={"Range": "bytes=4-7"})
            assert part.status == 206 and await part.read() == b"ftyp"
            assert (await client.get("/media/none.mp4")).status == 404

    asyncio.run(ask())
    assert len(made) == 1
