"""The harness's own ceiling and floor, through the whole of it, for every task and dialect."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from er_bench import api
from er_bench.core.dialect import Benchmark
from er_bench.core.geometry import Unit
from er_bench.core.registry import Registry
from er_bench.core.task import QuestionTask
from er_bench.report.results import TaskResult

REGISTRY = Registry()
STATIC = sorted(
    name
    for name, folder in REGISTRY.task_folders.items()
    if (folder / "mini").is_dir() and isinstance(REGISTRY.open_mini(name), QuestionTask)
)


def run(kind: str, task: str, out: Path, dialect: str = "benchmark") -> TaskResult:
    made = api.evaluate(f"reference/{kind}", task, split="mini", dialect=dialect, out=out)
    return made.results.tasks[task]


MEASURED = ("affordance", "sharerobot_trajectory", "trajectory", "vabench_visual")
"""Tasks whose score is a measure (IoU, a distance): six written digits bring it near its best."""


def pairs() -> list[tuple[str, str]]:
    """Every task with its own prompt, and pointing and box tasks in every dialect as well."""
    found = [(task, "benchmark") for task in STATIC]
    groups = {"pointing", "boxes", "affordances"}
    spatial = [t for t in STATIC if groups & set(REGISTRY.task_card(t).groups)]
    return found + [(t, d) for t in spatial for d in REGISTRY.dialect_names() if d != "benchmark"]


@pytest.mark.parametrize(("task", "dialect_name"), pairs())
def test_the_oracle_scores_everything(task: str, dialect_name: str, tmp_path: Path) -> None:
    result = run("oracle", task, tmp_path / "r", dialect_name)
    assert (result.status, result.n_unparsed, result.n_format_failures) == ("complete", 0, 0)
    best = 0.0 if result.lower_is_better else 1.0
    if task in MEASURED:
        # A dialect of whole numbers is off by up to a pixel of a picture 240 high.
        best = pytest.approx(best, abs=1e-4 if dialect_name == "benchmark" else 1 / 200)
    assert (result.score, result.robust_score) == (best, best)


@pytest.mark.parametrize("task", STATIC)
def test_every_mini_split_is_of_the_promised_size(task: str) -> None:
    folder = REGISTRY.mini_root(task)
    rows = sum(1 for _ in REGISTRY.open_mini(task).samples())
    assert 24 <= rows <= 60
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 1_000_000


@pytest.mark.parametrize("task", [t for t in STATIC if REGISTRY.task_card(t).groups[0] == "qa"])
def test_chance_scores_what_chance_predicts(task: str, tmp_path: Path) -> None:
    """Twenty passes over the letters of a task: the mean is that of a uniform guess."""
    truth = REGISTRY.reference(REGISTRY.open_mini(task))
    assert truth is not None
    n_options = {s.id: len(truth.letters(s)) for s in truth.samples() if truth.letters(s)}
    made = api.evaluate("reference/chance", task, split="mini", repeats=20, out=tmp_path / "r")
    scores = [r.judgement["official"].score for r in made.records if r.id in n_options]
    p = sum(1 / n for n in n_options.values()) / len(n_options)
    assert len(scores) == 20 * len(n_options)
    assert abs(sum(scores) / len(scores) - p) < 4 * math.sqrt(p * (1 - p) / len(scores))


def test_every_dialect_says_what_its_numbers_count() -> None:
    for dialect in map(REGISTRY.dialect, REGISTRY.dialect_names()):
        if not isinstance(dialect, Benchmark):
            assert dialect.unit in Unit
