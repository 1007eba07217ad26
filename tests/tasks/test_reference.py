"""The harness's own ceiling and floor, through the whole of it, for every task and dialect."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from er_bench.core.geometry import Unit
from er_bench.core.registry import Registry, dialect, dialect_names, open_model
from er_bench.report import results
from er_bench.run import evaluate

REGISTRY = Registry()
STATIC = sorted(
    name
    for name, folder in REGISTRY.task_folders.items()
    if (folder / "mini").is_dir() and "episodes" not in REGISTRY.task_card(name).groups
)


def run(kind: str, task: str, out: Path, dialect_name: str = "benchmark") -> results.TaskResult:
    model = open_model(REGISTRY, f"reference/{kind}", dialect_name=dialect_name)
    options = evaluate.Options(tasks=[task], split="mini")
    opened = evaluate.open_tasks(REGISTRY, model, options, lambda line: None, media=True)
    made = evaluate.run(REGISTRY, model, options, out, resume=False, opened=opened)
    return made.tasks[opened[0].task.label]


def pairs() -> list[tuple[str, str]]:
    """Every task with its own prompt, and pointing and box tasks in every dialect as well."""
    found = [(task, "benchmark") for task in STATIC]
    spatial = [t for t in STATIC if {"pointing", "boxes"} & set(REGISTRY.task_card(t).groups)]
    return found + [(t, d) for t in spatial for d in dialect_names() if d != "benchmark"]


@pytest.mark.parametrize(("task", "dialect_name"), pairs())
def test_the_oracle_scores_everything(task: str, dialect_name: str, tmp_path: Path) -> None:
    result = run("oracle", task, tmp_path / "r", dialect_name)
    assert (result.status, result.n_unparsed, result.n_format_failures) == ("complete", 0, 0)
    assert (result.score, result.robust_score) == (1.0, 1.0)


@pytest.mark.parametrize("task", STATIC)
def test_every_mini_split_is_of_the_promised_size(task: str) -> None:
    folder = REGISTRY.mini_root(task)
    rows = sum(1 for _ in REGISTRY.open_task(task, folder).samples())
    assert 24 <= rows <= 60
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 1_000_000


@pytest.mark.parametrize("task", [t for t in STATIC if REGISTRY.task_card(t).groups[0] == "qa"])
def test_chance_scores_what_chance_predicts(task: str, tmp_path: Path) -> None:
    """Twenty passes over the letters of a task: the mean is that of a uniform guess."""
    opened = REGISTRY.open_task(task, REGISTRY.mini_root(task))
    expected = [1 / len(opened.letters(s)) for s in opened.samples() if opened.letters(s)]
    model = open_model(REGISTRY, "reference/chance")
    options = evaluate.Options(tasks=[task], split="mini", repeats=20)
    tasks = evaluate.open_tasks(REGISTRY, model, options, lambda line: None, media=True)
    evaluate.run(REGISTRY, model, options, tmp_path / "r", resume=False, opened=tasks)
    from er_bench.run.store import read_records

    lettered = {s.id for s in opened.samples() if opened.letters(s)}
    scores = [r["score"]["official"] for r in read_records(tmp_path / "r") if r["id"] in lettered]
    p = sum(expected) / len(expected)
    assert len(scores) == 20 * len(expected)
    assert abs(sum(scores) / len(scores) - p) < 4 * math.sqrt(p * (1 - p) / len(scores))


def test_every_dialect_says_what_its_numbers_count() -> None:
    for name in dialect_names():
        if name != "benchmark":
            assert dialect(name).unit in Unit  # type: ignore[union-attr]
