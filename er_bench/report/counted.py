"""Records counted: how samples ended, and what each reading's aggregate sees of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from sys import intern

from er_bench.core.answer import Status
from er_bench.core.record import Record, RecordStatus
from er_bench.core.score import Scored
from er_bench.core.task import OFFICIAL, ROBUST


@dataclass(slots=True)
class Counted:
    """What is kept of one task's records: counts, and the scores of each reading."""

    statuses: Counter[RecordStatus] = field(default_factory=Counter)
    scored: dict[str, list[tuple[tuple[str, str, int], Scored]]] = field(default_factory=dict)
    """By reading: sample order (cluster, id, repeat) and what an aggregate sees."""
    n_unparsed: Counter[str] = field(default_factory=Counter)
    n_format_failures: int = 0
    n_truncated: int = 0
    without_text: Counter[str] = field(default_factory=Counter)
    """Samples with a completion that has no text, by why: `refusal`, `content_filter`, .."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    seconds: list[float] = field(default_factory=list)
    first_errors: dict[RecordStatus, str] = field(default_factory=dict)
    _parts: dict[object, Mapping[str, float]] = field(default_factory=dict, repr=False)

    def add(self, record: Record) -> None:
        """Count one record."""
        self.statuses[record.status] += 1
        self.seconds.append(record.seconds)
        self.n_truncated += record.truncated
        self.without_text.update(
            {c.finish_reason or "empty" for c in record.completions() if not c.text}
        )
        for c in record.completions():
            if c.tokens_in is not None:
                self.tokens_in = (self.tokens_in or 0) + c.tokens_in
            if c.tokens_out is not None:
                self.tokens_out = (self.tokens_out or 0) + c.tokens_out
        if record.status is not RecordStatus.SCORED:
            self.first_errors.setdefault(record.status, record.error)
            return
        # What is equal is kept once: a run may have a million samples, and readings mostly agree.
        cluster, category = intern(record.cluster), intern(record.category)
        place, last = (cluster, intern(record.id), record.repeat), None
        for name, v in record.judgement.items():
            parts = self._parts.setdefault(tuple(v.parts.items()), v.parts)
            seen = Scored(cluster, category, v.score, parts)
            last = last if last is not None and last[1] == seen else (place, seen)
            self.scored.setdefault(name, []).append(last)
            self.n_unparsed[name] += v.answer.status is Status.UNPARSED
        both = [record.judgement.get(name) for name in (OFFICIAL, ROBUST)]
        scores = [v.score for v in both if v is not None]
        self.n_format_failures += len(scores) == 2 and scores[0] != scores[1]

    def of(self, reading: str) -> list[Scored]:
        """The samples of one reading in an order that does not depend on how the run went."""
        return [seen for _, seen in sorted(self.scored.get(reading, []), key=lambda one: one[0])]

    def by_sample(self, reading: str) -> Iterator[list[float]]:
        """The scores of each sample's repeats, those that the mean leaves out left out."""
        samples: dict[str, list[float]] = {}
        for (_, sample_id, _), seen in self.scored.get(reading, []):
            if seen.score is not None:
                samples.setdefault(sample_id, []).append(seen.score)
        yield from samples.values()


def count(records: Iterable[Record]) -> dict[str, Counted]:
    """Records counted per task."""
    found: dict[str, Counted] = {}
    for record in records:
        found.setdefault(record.task, Counted()).add(record)
    return found
