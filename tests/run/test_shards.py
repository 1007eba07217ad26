"""A run in parts: what each takes, and the run that is made of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import er_bench as api
from er_bench.core.errors import StoreError, UsageError
from er_bench.core.manifest import Shard
from er_bench.core.registry import Registry
from er_bench.core.sample import Video
from er_bench.run.shards import parse_shard, samples_of
from tests.conftest import Command

ROOT = Path(__file__).parents[2]
TASKS = "erqa,refspatial,vsibench,vlabench,home_rearrange"
LIMIT = 5
PASSING = ("seconds", "created", "command", "latency_s")


def run(out: Path, shard: str = "", **more: Any) -> api.Run:
    settings: dict[str, Any] = {"split": "mini", "repeats": 2, "limit": LIMIT, **more}
    return api.evaluate("reference/chance", TASKS, shard=shard, out=out, **settings)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    for k in (3, 1, 2):
        run(folder / str(k), f"{k}/3")
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    return run(tmp_path_factory.mktemp("whole") / "r")


def numbers(found: object) -> object:
    """Results without clocks and names."""
    if isinstance(found, dict):
        return {name: numbers(value) for name, value in found.items() if name not in PASSING}
    return [numbers(value) for value in found] if isinstance(found, list) else found


def copied(parts: Path, to: Path) -> Path:
    return Path(shutil.copytree(parts, to / "parts"))


def test_the_merged_run_is_the_run_of_one_process(
    parts: Path, whole: api.Run, tmp_path: Path
) -> None:
    made = api.merge([parts], tmp_path / "merged")
    one, other = (json.loads((r.folder / "results.json").read_text()) for r in (whole, made))
    assert numbers(one["tasks"]) == numbers(other["tasks"])
    assert numbers(one["summary"]) == numbers(other["summary"])
    assert other["run"]["id"] == "merged" and made.manifest.shard is None
    assert {r.key for r in made.records} == {r.key for r in whole.records}
    assert made.prompts.keys() == whole.prompts.keys()
    frames = {p.name for p in (whole.folder / "frames").rglob("*.*")}
    assert frames and {p.name for p in (made.folder / "frames").rglob("*.*")} == frames
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    again = api.score(made.folder, out=tmp_path / "again")
    assert numbers(again.results.tasks["vsibench"].model_dump()) == numbers(
        made.results.tasks["vsibench"].model_dump()
    )


def test_a_part_is_not_shown_as_a_whole(parts: Path) -> None:
    result = api.load_run(parts / "1").results.tasks["erqa"]
    assert result.status == "incomplete" and result.n_scored == result.n_total == 4
    assert result.why == "part 1 of 3; er-bench merge makes the run"


@pytest.mark.parametrize("of", [1, 2, 5, 40])
def test_parts_share_all_samples_and_keep_a_video_together(of: int) -> None:
    for name in ("vsibench", "erqa"):
        task = Registry().open_mini(name)
        taken = [list(samples_of(task, 33, Shard(index=k + 1, of=of))) for k in range(of)]
        ids = [sample.id for part in taken for sample in part]
        assert sorted(ids) == sorted(sample.id for sample in samples_of(task, 33, None))
        homes: dict[Path, set[int]] = {}
        for k, part in enumerate(taken):
            for video in (p for s in part for p in s.parts if isinstance(p, Video)):
                homes.setdefault(video.path, set()).add(k)
        assert all(len(found) == 1 for found in homes.values())


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/99999"])
def test_a_part_that_cannot_be_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)


def test_what_is_no_run_together_is_refused(parts: Path, whole: api.Run, tmp_path: Path) -> None:
    out = tmp_path / "merged"
    with pytest.raises(UsageError, match="1 of 3 parts are missing: 2/3"):
        api.merge([parts / "1", parts / "3"], out)
    with pytest.raises(UsageError, match="given twice"):
        api.merge([parts / "1", parts / "1"], out)
    shutil.copytree(parts / "1", tmp_path / "copy")
    with pytest.raises(UsageError, match="the same part, 1"):
        api.merge([parts / "1", tmp_path / "copy"], out)
    with pytest.raises(StoreError, match="is a whole run"):
        api.merge([parts / "1", whole.folder], out)
    run(tmp_path / "seed", "2/3", seed=1)
    with pytest.raises(UsageError, match="seed: it was 0, now it is 1"):
        api.merge([parts / "1", tmp_path / "seed", parts / "3"], out)
    run(tmp_path / "four", "2/4")
    with pytest.raises(UsageError, match="part 2 of 4"):
        api.merge([parts / "1", tmp_path / "four"], out)
    assert not out.exists()


def test_a_record_of_another_part_is_found(parts: Path, tmp_path: Path) -> None:
    mine = copied(parts, tmp_path)
    line = (mine / "2" / "records.jsonl").read_text().splitlines(keepends=True)[0]
    with (mine / "1" / "records.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(StoreError, match="no place for"):
        api.merge([mine], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_part_goes_on_and_only_as_that_part(
    parts: Path, whole: api.Run, tmp_path: Path, er_bench: Command
) -> None:
    mine = copied(parts, tmp_path)
    records = mine / "2" / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    records.write_text("".join(lines[: len(lines) // 2]))
    short = er_bench("merge", mine, "--out", "short")
    assert short.returncode == 3 and "incomplete" in short.stdout
    flags = ["run", "--model", "reference/chance", "--tasks", TASKS, "--split", "mini",
             "--repeats", "2", "--limit", LIMIT, "--out", mine / "2", "--resume"]  # fmt: skip
    other = er_bench(*flags, "--shard", "1/3")
    assert other.returncode == 2 and "shard" in other.stderr
    done = er_bench(*flags, "--shard", "2/3")
    assert done.returncode == 0 and "er-bench merge" in done.stdout, done.stderr
    made = er_bench("merge", mine, "--out", "merged", "--format", "json")
    assert made.returncode == 0, made.stderr
    results = api.load_run(tmp_path / "merged").results
    assert {k: t.score for k, t in results.tasks.items()} == {
        k: t.score for k, t in whole.results.tasks.items()
    }


def test_the_script_for_one_machine_makes_the_run(tmp_path: Path) -> None:
    place = tmp_path / "bin"
    place.mkdir()
    (place / "er-bench").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m er_bench.cli.main "$@"\n'
    )
    (place / "er-bench").chmod(0o755)
    (tmp_path / "r").mkdir()
    done = subprocess.run(
        ["sh", ROOT / "examples/shards/gpus.sh", "2", "reference/oracle", "erqa,vsibench",
         tmp_path / "r" / "o", "--split", "mini"],
        env={**os.environ, "PATH": f"{place}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert api.load_run(tmp_path / "r" / "o" / "whole").results.summary.average == 1.0
