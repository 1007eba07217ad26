"""A score: how good an answer is, by the benchmark's released code and by the best reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Score:
    """Two readings of one completion, each judged by the benchmark's rule.

    `official` is None where the released code leaves the item out of its mean. `parts` holds the
    named numbers that an aggregate needs (hits and totals of a pooled metric) or a reader wants.
    """

    official: float | None
    robust: float
    parts: Mapping[str, float] = field(default_factory=dict)
