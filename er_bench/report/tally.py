"""Counting a run's records, read once: numbers are kept, in columns, and no texts."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from er_bench.core.score import Score
from er_bench.core.task import Scored
from er_bench.run.line_index import key_hash


class ScoredColumns(Sequence[Scored]):
    """Scored samples in arrays, some forty bytes each; made into `Scored` when looked at.

    A cluster is kept as the hash of its name: it only serves to tell clusters apart.
    """

    def __init__(self) -> None:
        self._official, self._robust = array("d"), array("d")
        self._clusters, self._categories = array("Q"), array("L")
        self._category_codes: dict[str, int] = {}
        self._parts: dict[str, array[float]] = {}

    def append(self, cluster: str, category: str, score: Score) -> None:
        """Add one sample; a part that it lacks is NaN inside and absent when looked at."""
        n = len(self)
        self._official.append(math.nan if score.official is None else score.official)
        self._robust.append(score.robust)
        self._clusters.append(key_hash(cluster))
        codes = self._category_codes
        self._categories.append(codes.setdefault(category, len(codes)))
        for name in score.parts:
            if name not in self._parts:
                self._parts[name] = array("d", [math.nan]) * n
        for name, column in self._parts.items():
            column.append(score.parts.get(name, math.nan))

    def __len__(self) -> int:
        return len(self._robust)

    @overload
    def __getitem__(self, at: int) -> Scored: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Scored]: ...
    def __getitem__(self, at: int | slice) -> Scored | Sequence[Scored]:
        if isinstance(at, slice):
            return [self[k] for k in range(*at.indices(len(self)))]
        official = self._official[at]
        parts = {n: c[at] for n, c in self._parts.items() if not math.isnan(c[at])}
        score = Score(None if math.isnan(official) else official, self._robust[at], parts)
        category = self._category_names[self._categories[at]]
        return Scored(f"{self._clusters[at]:016x}", category, score)

    @property
    def _category_names(self) -> list[str]:
        return list(self._category_codes)

    def __iter__(self) -> Iterator[Scored]:
        return (self[k] for k in range(len(self)))


@dataclass(slots=True)
class Tally:
    """What is kept of one task's records."""

    statuses: Counter[str] = field(default_factory=Counter)
    scored: ScoredColumns = field(default_factory=ScoredColumns)
    n_unparsed: int = 0
    n_truncated: int = 0
    tokens: dict[str, int | None] = field(default_factory=lambda: {"in": None, "out": None})
    seconds: float = 0.0
    first_errors: dict[str, str] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one record."""
        status = record["status"]
        self.statuses[status] += 1
        self.seconds += record["seconds"]
        self.n_truncated += any(c["finish_reason"] == "length" for c in record["completions"])
        for way, count in record["tokens"].items():
            if count is not None:
                self.tokens[way] = (self.tokens[way] or 0) + count
        if status == "scored":
            self.scored.append(record["cluster"], record["category"], Score(**record["score"]))
            self.n_unparsed += record["answer"]["official"]["status"] == "unparsed"
        else:
            self.first_errors.setdefault(status, record.get("error", ""))


def tally(records: Iterable[Mapping[str, Any]]) -> dict[str, Tally]:
    """Records counted per task."""
    tallies: dict[str, Tally] = {}
    for record in records:
        tallies.setdefault(record["task"], Tally()).add(record)
    return tallies
