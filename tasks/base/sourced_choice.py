"""Multiple choice over rows of several data sets, each of which has a score of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from er_bench.core.rollout import Rollout
from er_bench.core.sample import Sample
from er_bench.core.score import Aggregate, Scored, Verdict, mean
from er_bench.core.task import Reading
from er_bench.data.rows import Row
from er_bench.tasks.base.choice import Choice


@dataclass(frozen=True, slots=True)
class SourcedChoice(Choice):
    """The truth, and which data set the row is from."""

    source: str


def known_source(row: Row, field: str, sources: Sequence[str]) -> str:
    """The data set of a row. Raises DataError when it is none of those that are scored."""
    source = row.text(field)
    if source not in sources:
        raise row.error(f"expected one of {', '.join(sources)}, found {source!r:.60}", field)
    return source


def by_source(
    reading: Reading[Choice], aggregate: Callable[[Sequence[Scored]], Aggregate]
) -> Reading[Choice]:
    """A reading whose verdicts keep the data set, for an aggregate that needs it."""

    def judge(sample: Sample[Choice], rollout: Rollout) -> Verdict:
        assert isinstance(sample.target, SourcedChoice)
        verdict = reading.judge(sample, rollout)
        return verdict.with_parts({**verdict.parts, sample.target.source: 1.0})

    return replace(reading, judge=judge, aggregate=aggregate)


def source_mean(scored: Sequence[Scored], source: str) -> float:
    """The mean over the samples of one data set, or NaN where there are none."""
    return mean([s.score or 0.0 for s in scored if s.parts.get(source)])
