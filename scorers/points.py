"""Scores of predicted points. Points are `(x, y)` pixels of the original image unless said.

Four different numbers are called accuracy in this field; here each has its own name:
`first_or_all` (0 or 1 an image), `mean_value` (per-image mean), `Hits` (pooled precision) and
`matched` (precision, recall and F1 by one-to-one matching).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import dist, isfinite

import numpy as np
from numpy.typing import NDArray

from er_bench.core.geometry import Box, Mask, Point, in_mask

Values = NDArray[np.generic]
"""A mask as numbers, `(H, W)`: bool for a hard mask, 0..1 for a soft one."""


def first_or_all(points_px_xy: Sequence[Point], mask_hw: Mask, count: int | None) -> float:
    """1 if the first point lies in the mask; with a `count`, if there are so many and all do.

    Source: PointArena `model_evaluator.py`, commit dcd82f2, lines 1202-1260: no matching of points
    to objects, so that `count` points on one object pass.
    """
    judged = points_px_xy if count is not None else points_px_xy[:1]
    if not judged or (count is not None and len(judged) != count):
        return 0.0
    return float(all([in_mask(p, mask_hw) for p in judged]))


def mean_value(
    points_px_xy: Sequence[Point], boxes_px_xyxy: Sequence[Box], values_hw: Values
) -> float:
    """Mean mask value over points and over every pixel of the boxes; 0 outside, 0 for nothing.

    Boxes hold whole pixels, right and bottom exclusive, and may reach outside. Source: RoboPoint
    `summarize_vqa.py`, commit adbee8d, lines 59-68; RoboRefer `Evaluation/summarize_acc.py`,
    commit d97a995. Boxes are summed where released code lists their pixels one by one.
    """
    total = len(points_px_xy)
    gained = sum(float(values_hw[y, x]) for x, y in _pixels(points_px_xy, values_hw))
    for x1, y1, x2, y2 in boxes_px_xyxy:
        total += max(0, int(x2) - int(x1)) * max(0, int(y2) - int(y1))
        (left, top), (right, bottom) = (max(0, int(x1)), max(0, int(y1))), (int(x2), int(y2))
        gained += float(values_hw[top : max(bottom, 0), left : max(right, 0)].sum())
    return gained / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Hits:
    """Hits among predicted points; pooled over samples they are a micro precision.

    Source: Vlaser `evaluate_point_paco.py` and `evaluate_point_pixmo.py`, commit 40d7821: an answer
    without a point counts as one miss; recall is not measured.
    """

    hits: int
    total: int

    @classmethod
    def of(cls, hit: Sequence[bool]) -> Hits:
        """The count over one answer's points."""
        return cls(sum(hit), max(1, len(hit)))

    @property
    def share(self) -> float:
        """Hits over total."""
        return self.hits / self.total


def hits_in_mask(points_px_xy: Sequence[Point], mask_hw: Mask) -> Hits:
    """Points inside the mask; `x == width` is outside (`evaluate_point_paco.py`)."""
    return Hits.of([in_mask(p, mask_hw) for p in points_px_xy])


def hits_in_radius(points_xy: Sequence[Point], truth_xy: Sequence[Point], radius: float) -> Hits:
    """Points at most `radius` from any true point, all in one unit (`evaluate_point_pixmo.py`).

    No one-to-one matching: many points near one object all count.
    """
    return Hits.of([any(dist(p, t) <= radius for t in truth_xy) for p in points_xy])


@dataclass(frozen=True, slots=True)
class Matched:
    """Precision, recall and F1 of points matched one to one with objects."""

    precision: float
    recall: float
    f1: float


def matched(
    points_xy: Sequence[Point], truth_xy: Sequence[Point], counts: Sequence[Mask] | float
) -> Matched:
    """Match points to objects by least total distance, one to one.

    A match counts if the point lies in its object's mask (both in pixels; the pixel is rounded,
    not truncated), or, where `counts` is a radius, within it. An image without objects scores 1
    if nothing is predicted, else 0. Source: Molmo `olmo/eval/evaluators.py` `PointingEval`,
    commit 793fa38; the radius is er-bench's, for truths without masks.
    """
    if not truth_xy or not points_xy:
        right = float(not truth_xy and not points_xy)
        return Matched(right, right, right)
    from scipy.optimize import linear_sum_assignment

    cost = np.array([[dist(p, t) for t in truth_xy] for p in points_xy])
    rows, columns = linear_sum_assignment(cost)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    if isinstance(counts, float):
        hits = sum(cost[i, j] <= counts for i, j in pairs)
    else:
        hits = sum(in_mask(_rounded(points_xy[i]), counts[j]) for i, j in pairs)
    precision, recall = hits / len(points_xy), hits / len(truth_xy)
    f1 = 2 * precision * recall / (precision + recall + 1e-10) if hits else 0.0
    return Matched(float(precision), float(recall), float(f1))


def _rounded(point: Point) -> Point:
    return round(point[0]), round(point[1])


def _pixels(points: Sequence[Point], values_hw: Values) -> list[tuple[int, int]]:
    """The pixels of the points that lie on the image."""
    h, w = values_hw.shape
    return [
        (int(x), int(y))
        for x, y in points
        if isfinite(x) and isfinite(y) and 0 <= int(x) < w and 0 <= int(y) < h
    ]


def in_polygon(point_xy: Point, corners_xy: Sequence[Point]) -> bool:
    """Whether a point lies in a polygon by even-odd ray casting, both in one frame.

    A left or top edge belongs to it, a right or bottom one does not; where it crosses itself, what
    is covered twice is outside. Source: RoboSpatial-Eval `evaluation.py` `point_in_polygon`, commit
    19f04a5, to the order of operations.
    """
    x, y = point_xy
    inside = False
    for (xi, yi), (xj, yj) in zip(corners_xy, [*corners_xy[-1:], *corners_xy[:-1]], strict=True):
        if (yi > y) != (yj > y) and x < (xj - xi) * (y - yi) / (yj - yi) + xi:
            inside = not inside
    return inside
