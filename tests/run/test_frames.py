"""`--frames`: which pictures of an episode stay in the run folder, and how they are found."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import PIL.Image
import PIL.ImageStat
import pytest
from pydantic import JsonValue

import er_bench as api
from er_bench.core.completion import Completion
from er_bench.core.environment import EpisodeLimits
from er_bench.core.errors import DataError
from er_bench.core.message import user
from er_bench.core.model import Asked, Model, Subject
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.registry import Registry
from er_bench.core.sample import Image, Text
from er_bench.data.referenced import referenced
from er_bench.data.rows import BytesBlob
from er_bench.run.asking import Asking, Health, Limits
from er_bench.run.frames import FrameKeeper, FrameSize
from er_bench.run.open_model import open_model
from er_bench.tasks.base.home import HomeTask
from tests.conftest import Command

RENDERER = {"ER_BENCH_HOME_RENDERER": "numpy"}
SIZES: tuple[FrameSize, ...] = ("none", "small", "full")


class Onlooker(Model):
    """Acts at random and keeps every picture that it is shown."""

    concurrency = 1
    name = "onlooker"

    def __init__(self) -> None:
        self._inner = open_model(Registry(), "reference/random-action")
        self.dialect, self.seen = self._inner.dialect, list[bytes]()

    def identity(self) -> dict[str, JsonValue]:
        return {"name": self.name}

    async def ask(self, prompt: Prompt) -> Completion:
        raise AssertionError("asked about samples only")

    def about(self, subject: Subject) -> Asked:
        inner = self._inner.about(subject)

        async def ask(prompt: Prompt) -> Completion:
            (image,) = [part for part in prompt.parts() if isinstance(part, Image)]
            self.seen.append(image.blob.read())
            return await inner(prompt)

        return ask


Watched = tuple[api.Run, list[bytes]]
"""A run of one episode, and the pictures that its model saw."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> dict[FrameSize, Watched]:
    """The same short episode with each size of frames; the home draws 300 pixels a side."""
    made: dict[FrameSize, Watched] = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in RENDERER.items():
            patch.setenv(name, value)
        patch.setattr(HomeTask, "resolution_px", 300)
        patch.setattr(HomeTask, "limits", EpisodeLimits(env_steps=6))
        for size in SIZES:
            model, out = Onlooker(), tmp_path_factory.mktemp(size) / "r"
            run = api.evaluate(model, "home_alfred", split="mini", limit=1, frames=size, out=out)
            assert len(model.seen) > 1, "an episode of several turns"
            made[size] = (run, model.seen)
    return made


def files(run: api.Run) -> list[Path]:
    return sorted(p for p in (run.folder / "frames").rglob("*") if p.is_file())


def test_full_frames_are_the_pictures_that_the_model_saw(
    watched: dict[FrameSize, Watched],
) -> None:
    run, seen = watched["full"]
    (record,) = run.records
    refs = [ref for turn in record.rollout.turns for ref in turn.media]
    assert [run.medium(record, ref).read() for ref in refs] == seen
    assert [run.folder / ref.file for ref in refs] == files(run)
    assert all(ref.base == "run" and ref.file.endswith(".png") for ref in refs)
    assert all(picture.startswith(b"\x89PNG") for picture in seen)


def test_small_frames_are_jpeg_of_at_most_256_pixels(watched: dict[FrameSize, Watched]) -> None:
    run, seen = watched["small"]
    (record,) = run.records
    refs = [ref for turn in record.rollout.turns for ref in turn.media]
    assert len(refs) == len(seen)
    assert [run.folder / ref.file for ref in refs] == files(run)
    for ref, picture in zip(refs, seen, strict=True):
        content = run.medium(record, ref).read()
        with (
            PIL.Image.open(io.BytesIO(content)) as kept,
            PIL.Image.open(io.BytesIO(picture)) as whole,
        ):
            assert kept.format == "JPEG"
            assert max(whole.size) > 256 == max(kept.size)
            means = [PIL.ImageStat.Stat(one.convert("RGB")).mean for one in (kept, whole)]
            assert means[0] == pytest.approx(means[1], abs=5), "the same picture"


def test_without_frames_nothing_is_kept_and_reading_says_how_to_keep_them(
    watched: dict[FrameSize, Watched],
) -> None:
    run, seen = watched["none"]
    (record,) = run.records
    assert files(run) == []
    for turn in record.rollout.turns:
        (ref,) = turn.media
        assert (ref.file, ref.base) == ("", "run")
        with pytest.raises(DataError, match="--frames small"):
            run.medium(record, ref)
    assert len(record.rollout.turns) == len(seen)


def test_the_frames_are_small_by_default_and_go_along_when_judged_again(
    er_bench: Command, tmp_path: Path
) -> None:
    args = ["run", "--model", "reference/oracle", "--tasks", "home_rearrange", "--split", "mini",
            "--limit", "1"]  # fmt: skip
    done = er_bench(*args, "--out", "r", **RENDERER)
    assert done.returncode == 0, done.stderr
    again = api.score(tmp_path / "r", out=tmp_path / "again")
    (record,) = again.records
    (ref,) = record.rollout.turns[0].media
    assert ref.file.endswith(".jpg") and (tmp_path / "again" / ref.file).is_file()
    kept = again.medium(record, ref).read()
    assert kept == api.load_run(tmp_path / "r").medium(record, ref).read()


def test_a_wrong_size_is_wrong_usage_that_lists_the_sizes(er_bench: Command) -> None:
    done = er_bench("run", "--model", "reference/oracle", "--tasks", "erqa", "--frames", "big")
    assert done.returncode == 2 and "none, small, full" in done.stderr


def test_scores_do_not_depend_on_the_frames(watched: dict[FrameSize, Watched]) -> None:
    tasks = [run.results.tasks["home_alfred"] for run, _ in watched.values()]
    shown = [
        {name: v for name, v in t.readings["official"].metrics.items() if "seconds" not in name}
        for t in tasks
    ]
    assert len({task.score for task in tasks}) == 1 and shown[0] == shown[1] == shown[2]


def test_ids_that_are_no_file_names_get_frames_of_their_own(tmp_path: Path) -> None:
    keeper = FrameKeeper(tmp_path, "full")
    ids = ["a/b", "a_b", "../a", "ä" * 300, "a b"]
    refs = [
        keeper.keep(("t", name, repeat), 0, BytesBlob("x", f"{name}{repeat}".encode()))
        for name in ids
        for repeat in (0, 1)
    ]
    found = [ref for ref in refs if ref is not None]
    assert len({ref.file for ref in found}) == len(ids) * 2
    for ref, text in zip(found, [f"{n}{r}" for n in ids for r in (0, 1)], strict=True):
        assert (tmp_path / ref.file).resolve().is_relative_to(tmp_path.resolve())
        assert referenced(ref, data=tmp_path, run=tmp_path).read() == text.encode()


def test_two_pictures_of_one_turn_are_kept_as_two(tmp_path: Path) -> None:
    async def answer(prompt: Prompt) -> Completion:
        return Completion("A")

    async def asked() -> list[bytes]:
        keeper = FrameKeeper(tmp_path, "full")
        agent = Asking(answer, Limits(), Health(), Path("data"), ("t", "a", 0), keeper)
        pictures = [Image(BytesBlob(f"{k}.png", f"picture {k}".encode())) for k in range(3)]
        await agent.ask(Prompt((user(Text("Which?"), *pictures[:2]),), Expect.LETTER))
        await agent.ask(Prompt((user(Text("And now?"), pictures[2]),), Expect.LETTER))
        refs = [ref for turn in agent.turns for ref in turn.media]
        return [referenced(ref, data=tmp_path, run=tmp_path).read() for ref in refs]

    assert asyncio.run(asked()) == [b"picture 0", b"picture 1", b"picture 2"]
