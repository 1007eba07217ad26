"""What is ready at the same moment is kept together, and nothing counts before it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from pydantic import JsonValue

from er_bench.core.completion import Completion
from er_bench.core.errors import StoreError
from er_bench.core.model import Model
from er_bench.core.prompt import Prompt
from er_bench.core.record import Record
from er_bench.core.registry import Registry
from er_bench.run import runner
from er_bench.run.runner import Ready

AT_ONCE = 4


class Together(Model):
    """Answers all that it was asked in one turn of the event loop."""

    name = "together"

    def __init__(self) -> None:
        self._all = asyncio.Barrier(AT_ONCE)

    def identity(self) -> dict[str, JsonValue]:
        return {"name": self.name}

    async def ask(self, prompt: Prompt) -> Completion:
        await self._all.wait()
        return Completion("A")


def run(keep: runner.Keep, counted: list[Record]) -> None:
    async def go() -> None:
        job = runner.Job(Registry().open_mini("erqa"), limit=2 * AT_ONCE)
        model = Together()
        await runner.run([job], model, keep, concurrency=AT_ONCE, on_record=counted.append)

    asyncio.run(go())


def test_records_of_one_turn_are_kept_at_once_and_count_afterwards() -> None:
    kept: list[list[str]] = []
    counted: list[Record] = []

    def keep(ready: Sequence[Ready]) -> None:
        assert len(counted) == sum(map(len, kept)), "what was kept before has counted"
        assert all(record.rollout.turns[0].prompt_sha256 in named for record, named in ready)
        kept.append([record.id for record, _ in ready])

    run(keep, counted)
    assert [len(ids) for ids in kept] == [AT_ONCE, AT_ONCE]
    assert [record.id for record in counted] == [name for ids in kept for name in ids]


def test_what_cannot_be_kept_ends_the_run_and_does_not_count() -> None:
    counted: list[Record] = []

    def keep(ready: Sequence[Ready]) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        run(keep, counted)
    assert not counted
