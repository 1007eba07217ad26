"""A score, the verdict of one reading, and the numbers that are made of many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from er_bench.core.answer import Answer
from er_bench.core.geometry import Box, Point


@dataclass(frozen=True, slots=True)
class Score:
    """How good one answer is.

    `value` is a fraction in [0, 1], or None where the released code leaves the item out of its
    mean. `parts` holds the named numbers that an aggregate needs (hits and totals of a pooled
    metric) or a reader wants. `why` says in a few words what the value rests on.
    """

    value: float | None
    parts: Mapping[str, float] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one reading made of a rollout."""

    answer: Answer
    score: float | None
    """A fraction in [0, 1]; None where the released code leaves the item out of its mean."""
    parts: Mapping[str, float] = field(default_factory=dict)
    why: str = ""
    """What the score rests on, or why the answer could not be read."""
    points_px_xy: tuple[Point, ...] = ()
    """The points as judged, pixels of the original image."""
    boxes_px_xyxy: tuple[Box, ...] = ()
    """The boxes as judged, pixels of the original image."""

    @classmethod
    def of(
        cls,
        answer: Answer,
        score: Score,
        points_px_xy: Sequence[Point] = (),
        boxes_px_xyxy: Sequence[Box] = (),
    ) -> Verdict:
        """An answer with its score; an answer that could not be read says why."""
        why = score.why or answer.note
        return cls(answer, score.value, score.parts, why, tuple(points_px_xy), tuple(boxes_px_xyxy))

    def with_parts(self, parts: Mapping[str, float]) -> Verdict:
        """The same with other parts; several times as fast as `replace`."""
        points, boxes = self.points_px_xy, self.boxes_px_xyxy
        return Verdict(self.answer, self.score, parts, self.why, points, boxes)


Judgement = Mapping[str, Verdict]
"""The verdict of each reading, by the reading's name."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What an aggregate sees of one scored sample, under one reading."""

    cluster: str
    category: str
    score: float | None
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A task's numbers under one reading; NaN where there is nothing to average.

    `score` is the headline, a fraction in [0, 1]; `categories` its value in each category of the
    rows. `metrics` holds every other number that the benchmark's users know by name, each in its
    own unit.
    """

    score: float
    categories: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


def mean(values: Sequence[float]) -> float:
    """The mean, or NaN of nothing."""
    return fmean(values) if values else float("nan")


def category_means(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The mean of each category, categories sorted by name."""
    by_category: dict[str, list[float]] = {}
    for category, number in pairs:
        by_category.setdefault(category, []).append(number)
    return {name: fmean(by_category[name]) for name in sorted(by_category)}


def counted(scored: Iterable[Scored]) -> list[tuple[str, float]]:
    """Category and score of the samples that are in the mean: those that have a score."""
    return [(s.category, s.score) for s in scored if s.score is not None]


def mean_of_samples(scored: Sequence[Scored]) -> Aggregate:
    """The mean over samples, and that of each category; samples without a score are left out."""
    pairs = counted(scored)
    return Aggregate(mean([value for _, value in pairs]), category_means(pairs))
