"""Media are looked at before the first request, and others under the same rows are noticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import er_bench as api
from er_bench.core.errors import DataError, StoreError
from er_bench.core.registry import Registry
from er_bench.data.files import write_json
from er_bench.data.run_folder import read_media
from tests.conftest import Command
from tests.data.clips import write_sound

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
HTML = b"\n<!DOCTYPE html><html><body>Not found</body></html>"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Where2Place's mini split, which has pictures and masks as files, to be spoilt."""
    return Path(shutil.copytree(Registry().mini_root("where2place"), tmp_path / "data"))


def evaluate(data: Path, out: Path, *, resume: bool = False) -> api.Run:
    return api.evaluate(
        "reference/chance", "where2place", data=data, accept_data=True, out=out, limit=6,
        resume=resume,
    )  # fmt: skip


def repaint(file: Path) -> None:
    """Other content of the same size."""
    with PIL.Image.open(file) as found:
        PIL.Image.fromarray(255 - np.asarray(found)).save(file)


def test_a_run_goes_on_over_the_media_it_was_begun_with(data: Path, tmp_path: Path) -> None:
    run = evaluate(data, tmp_path / "r")
    kept = list(read_media(run.folder, "where2place"))
    assert len(kept) == 12
    assert {Path(medium.file).parts[0] for medium in kept} == {"images", "masks"}
    assert evaluate(data, tmp_path / "r", resume=True).results == run.results


@pytest.mark.parametrize("folder", ["images", "masks"])
def test_a_run_does_not_go_on_over_others(folder: str, data: Path, tmp_path: Path) -> None:
    run = evaluate(data, tmp_path / "r")
    changed = [m.file for m in read_media(run.folder, "where2place") if folder in m.file][1]
    repaint(data / changed)
    told = f"other media lie under its rows: {changed}$"
    with pytest.raises(StoreError, match=told):
        evaluate(data, tmp_path / "r", resume=True)


def test_a_run_is_not_scored_again_over_other_masks(data: Path, tmp_path: Path) -> None:
    run = evaluate(data, tmp_path / "r")
    assert api.score(run.folder, out=tmp_path / "same").results.tasks == run.results.tasks
    repaint(_first(data))  # judging opens masks alone
    api.score(run.folder, out=tmp_path / "pictures")
    mask = next(m.file for m in read_media(run.folder, "where2place") if "masks" in m.file)
    repaint(data / mask)
    with pytest.raises(DataError, match=f"masks are not the ones of the run: {mask}; give"):
        api.score(run.folder, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def _first(data: Path) -> Path:
    return sorted((data / "images").iterdir())[0]


def test_a_run_that_does_not_say_what_its_media_held_goes_on(data: Path, tmp_path: Path) -> None:
    run = evaluate(data, tmp_path / "r")
    (run.folder / "media.jsonl").unlink()
    manifest = json.loads((run.folder / "manifest.json").read_text())
    del manifest["identity"]["tasks"]["where2place"]["media_fingerprint"]
    write_json(run.folder / "manifest.json", manifest)
    repaint(_first(data))
    assert evaluate(data, tmp_path / "r", resume=True).results.tasks == run.results.tasks
    api.score(run.folder, out=tmp_path / "again")


def test_all_that_is_no_medium_is_named_before_the_first_request(
    data: Path, tmp_path: Path, er_bench: Command
) -> None:
    files = sorted((data / "images").iterdir())[:5]
    whole = files[0].read_bytes()
    contents = (LFS, HTML, b"", whole[: len(whole) // 2], b"just text")
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    done = er_bench("run", "--model", "reference/oracle", "--tasks", "where2place", "--data", data,
                    "--accept-data", "--out", "r", "--dry-run")  # fmt: skip
    assert done.returncode == 2
    for file, fault in zip(
        files, ("git lfs pull", "HTML page", "empty file", "cut off", "not a readable image"),
        strict=True,
    ):  # fmt: skip
        assert any(file.name in line and fault in line for line in done.stderr.splitlines())
    assert "1 a Git LFS pointer" in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_video_of_sound_alone_is_named_before_the_first_request(
    tmp_path: Path, er_bench: Command
) -> None:
    data = Path(shutil.copytree(Registry().mini_root("vsibench"), tmp_path / "data"))
    clip = sorted(data.rglob("*.mp4"))[0]
    write_sound(clip)
    done = er_bench("run", "--model", "reference/oracle", "--tasks", "vsibench", "--data", data,
                    "--accept-data", "--out", "r", "--dry-run")  # fmt: skip
    assert done.returncode == 2
    assert f"{clip.name}: a file without moving pictures: only audio" in done.stderr
