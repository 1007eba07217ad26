"""Mini splits whose rows are as they should not be, and what a run does with them first."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from er_bench.core.completion import Completion
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.rollout import Rollout
from er_bench.core.task import QuestionTask
from er_bench.run.preflight import inspect
from tests.hostile import damaged, spoilt

REGISTRY = Registry()
ROWS = {
    "blink": "Counting/*.parquet",
    "cv_bench": "test_2d.parquet",
    "egoplan2": "EgoPlan-Bench2.json",
    "embspatial": "embspatial_bench.json",
    "erqa": "data/*.parquet",
    "home_alfred": "episodes.json",
    "home_rearrange": "episodes.json",
    "mindcube": "data/raw/MindCube_tinybench.jsonl",
    "mmsibench": "MMSI_Bench.parquet",
    "paco_lavis": "paco_lvis*.jsonl",
    "part_affordance": "train.jsonl",
    "pixmo_points": "data_0.jsonl",
    "pointarena": "data.json",
    "refspatial": "Location/question.json",
    "roborefit": "rows.json",
    "robospatial_home": "data/context-*.parquet",
    "sat": "SAT_test.parquet",
    "sharerobot_trajectory": "train.jsonl",
    "vabench_point": "test.jsonl",
    "vabench_visual": "train.jsonl",
    "vlabench": "M&T/select_toy/example0/output/operation_sequence.json",
    "vsibench": "test-00000-of-00001.parquet",
    "where2place": "point_questions.jsonl",
}
"""The row file of each mini split; parquet is tried as JSON lines, and its pictures as files."""
ANSWER = "B, 3.5, [(0.2, 0.3)], [[10, 20, 30, 40]]"
N_ROWS = 2


@dataclass(frozen=True)
class Case:
    """A mini split of few rows in a folder of its own."""

    task: str
    root: Path
    file: Path
    rows: list[dict[str, Any]]
    lines: bool
    """Whether the rows are lines; a list otherwise, or one object where there is one row."""

    def write(self, rows: object) -> bytes:
        """Write rows, and return the file's bytes."""
        if self.lines and isinstance(rows, list):
            text = "\n".join(json.dumps(row) for row in rows)
        elif self.task == "vlabench" and isinstance(rows, list):
            text = json.dumps(rows[0] if rows else None)
        else:
            text = json.dumps(rows)
        self.file.write_bytes(text.encode())
        return text.encode()

    def spoil(self, rng: random.Random) -> None:
        """Write rows of which one is odd, or a file that is damaged."""
        if rng.random() < 0.85:
            self.write([spoilt(rng, self.rows[0]), *self.rows[1:]])
        elif rng.random() < 0.2:
            self.write(spoilt(rng, self.rows))
        else:
            self.file.write_bytes(damaged(rng, self.write(self.rows)))


def cases(folder: Path) -> Iterator[Case]:
    """A case of every task with rows, under `folder`."""
    for task, pattern in ROWS.items():
        mini = REGISTRY.mini_root(task)
        (file,) = mini.glob(pattern)
        place = folder / task
        _link(mini, place, file)
        own = place / file.relative_to(mini)
        own.unlink()
        if file.suffix == ".parquet":
            rows = [_plain(row, place) for row in pq.read_table(file).to_pylist()[:N_ROWS]]
            own = place / f"{file.stem}.jsonl"
            for beside in place.rglob("*.parquet"):
                beside.unlink()
        elif file.suffix == ".jsonl":
            rows = [json.loads(line) for line in file.read_text().splitlines()[:N_ROWS]]
        else:
            found = json.loads(file.read_text())
            rows = found[:N_ROWS] if isinstance(found, list) else [found]
        yield Case(task, place, own, rows, own.suffix == ".jsonl")


def _link(source: Path, place: Path, file: Path) -> None:
    """A folder of links; only the folders above `file` are real. Other row files are left out."""
    place.mkdir(parents=True)
    for inner in source.iterdir():
        if inner.is_dir() and file.is_relative_to(inner):
            _link(inner, place / inner.name, file)
        elif inner.name != "objects.json" and not any(inner.glob("*.parquet")):
            (place / inner.name).symlink_to(inner)


def _plain(value: Any, place: Path) -> Any:
    """A row of parquet in JSON: each picture a path."""
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        value = value["bytes"]
    if isinstance(value, bytes):
        (place / "one.png").write_bytes(value)
        return "one.png"
    if isinstance(value, dict):
        return {key: _plain(inner, place) for key, inner in value.items()}
    return [_plain(inner, place) for inner in value] if isinstance(value, list) else value


def begin(case: Case, *, with_media: bool) -> None:
    """What a run does before its first request, then a judgement. Raises what the task raises."""
    spec = TaskSpec(case.task, case.root, with_media=with_media)
    task = REGISTRY.open_task(spec)
    found = inspect(task, None)
    if not isinstance(task, QuestionTask) or found.missing or found.faults:
        return
    for sample in task.samples():
        json.dumps(task.shown(sample).options, ensure_ascii=False).encode()
        if with_media:
            task.prompt(sample)
            verdicts = task.judge(sample, Rollout.answered(Completion(ANSWER)))
            assert all(v.score is None or 0 <= v.score <= 1 for v in verdicts.values())
