"""Errors and intervals do not depend on the order in which samples came back."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

import er_bench
from er_bench.core.completion import Completion
from er_bench.core.model import Asked, Model, Subject
from er_bench.core.prompt import Prompt
from er_bench.core.registry import Registry
from er_bench.core.score import Scored
from er_bench.report.statistics import bootstrap_estimate
from er_bench.run.open_model import open_model

TASKS = ["paco_lavis", "pixmo_points", "vlabench"]
"""Their aggregates are no means, so that their errors come from a bootstrap."""


class Sometimes(Model):
    """Says the truth on two samples of three and guesses on the others, whatever their order."""

    name = "sometimes"
    concurrency = 16

    def __init__(self) -> None:
        registry = Registry()
        self._oracle = open_model(registry, "reference/oracle")
        self._chance = open_model(registry, "reference/chance")
        self.dialect = self._oracle.dialect

    def identity(self) -> dict[str, JsonValue]:
        return {"name": self.name}

    async def ask(self, prompt: Prompt) -> Completion:
        raise AssertionError("asked about samples only")

    def about(self, subject: Subject) -> Asked:
        digest = hashlib.sha256(f"{subject.sample.id}/{subject.repeat}".encode()).digest()
        return (self._oracle if digest[0] % 3 else self._chance).about(subject)


def go(out: Path, concurrency: int = 16, resume: bool = False) -> er_bench.Run:
    return er_bench.evaluate(
        Sometimes(), TASKS, split="mini", repeats=2, concurrency=concurrency, out=out,
        resume=resume,
    )  # fmt: skip


def numbers(run: er_bench.Run) -> dict[str, Any]:
    """All numbers of the results but times."""
    made = run.results.model_dump(exclude={"run": True})
    for task in made["tasks"].values():
        del task["seconds"]
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> er_bench.Run:
    return go(tmp_path_factory.mktemp("order") / "r")


def test_the_tasks_have_errors_that_a_bootstrap_makes(run: er_bench.Run) -> None:
    for name in TASKS:
        found = run.results.tasks[name]
        assert found.stderr is not None and found.stderr > 0 and found.ci95 is not None
        assert found.n_clusters > 2
        for reading in found.readings.values():
            assert reading.stderr is not None


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_records_give_the_same_numbers(
    seed: int, run: er_bench.Run, tmp_path: Path
) -> None:
    file = run.folder / "records.jsonl"
    kept = file.read_text()
    lines = kept.splitlines(keepends=True)
    try:
        random.Random(seed).shuffle(lines)
        assert "".join(lines) != kept
        file.write_text("".join(lines))
        again = er_bench.score(run.folder, out=tmp_path / "again")
    finally:
        file.write_text(kept)
    assert numbers(again) == numbers(run)


def test_one_at_a_time_gives_the_same_numbers_as_many(run: er_bench.Run, tmp_path: Path) -> None:
    assert numbers(go(tmp_path / "one", concurrency=1)) == numbers(run)


@pytest.mark.parametrize("kept", [1, 77])
def test_a_cut_and_resumed_run_gives_the_same_numbers(
    kept: int, run: er_bench.Run, tmp_path: Path
) -> None:
    go(tmp_path / "r")
    file = tmp_path / "r" / "records.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    random.Random(kept).shuffle(lines)
    file.write_text("".join(lines[:kept]) + lines[kept][:50])
    assert numbers(go(tmp_path / "r", concurrency=3, resume=True)) == numbers(run)


def test_the_bootstrap_itself_does_depend_on_the_order_of_its_clusters() -> None:
    """So that the tests above cannot pass by accident."""
    scored = [Scored(f"c{k}", "", float(k % 3 == 0)) for k in range(20)]

    def headline(drawn: Any) -> float:
        return float(max(sum(s.score for s in drawn), 1)) / len(drawn)

    one, other = (
        bootstrap_estimate(items, [s.cluster for s in items], headline)
        for items in (scored, scored[::-1])
    )
    assert one.value == other.value and one.stderr != other.stderr
