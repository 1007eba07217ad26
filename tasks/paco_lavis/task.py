"""PACO-LVIS pointing: every point must lie in the union of the expression's instances.

Vlaser's file was never released; its format is read: JSON lines with `image`, `width`, `height`,
`segmentation` (instances, each a list of flat polygons in pixels) and `conversations`. Rule
(Vlaser `eval/evaluate_point_paco.py`, commit 40d7821): hits over points, pooled over the set; an
answer without points is one miss; 100 new tokens, 6 tiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as PILImage
from PIL import ImageDraw

from er_bench.core.answer import Points, Value
from er_bench.core.geometry import Mask, Point, Size, Unit
from er_bench.core.sample import Sample
from er_bench.data.rows import Row
from er_bench.scorers.points import Hits, hits_in_mask
from er_bench.tasks.base.expression_points import ReferringTask
from er_bench.tasks.base.pointing import MASKS, deepest

Segmentation = Sequence[Sequence[Sequence[float]]]
"""Instances, each a list of polygons `[x1, y1, x2, y2, ..]` in pixels."""


@dataclass(frozen=True, slots=True)
class Target:
    """The instances, and a key for the mask that is drawn from them."""

    segmentation: Segmentation
    key: str


class PacoLavis(ReferringTask):
    """Points in the union mask of all instances."""

    patterns = ("paco_lvis*.jsonl", "paco_lavis*.jsonl", "*.jsonl")

    def target(self, row: Row, image: str, expression: str) -> Target:
        """The row's polygons, checked."""
        return Target(read_segmentation(row), f"{row.file}#{row.index}")

    def mask(self, sample: Sample) -> Mask:
        """The union of the instances, `(H, W)` bool."""
        target: Target = sample.target
        return MASKS.get(
            target.key, lambda: polygon_mask(target.segmentation, self.size_wh(sample))
        )

    def hits(self, sample: Sample, points_xy: list[Point]) -> Hits:
        """Points inside the union."""
        return hits_in_mask(points_xy, self.mask(sample))

    def truth_identity(self, sample: Sample) -> object:
        """The polygons."""
        return sample.target.segmentation

    def ideal(self, sample: Sample) -> Value:
        """The point deepest in the union."""
        return Points((deepest(self.mask(sample), sample),), Unit.PIXEL)


TASK = PacoLavis


def read_segmentation(row: Row) -> Segmentation:
    """The row's instances, checked. Raises DataError naming file, row and field."""
    instances = row.items("segmentation")
    if not instances:
        raise row.error("no instance", "segmentation")
    for polygons in instances:
        for polygon in polygons if isinstance(polygons, list) else [None]:
            if not _is_polygon(polygon):
                raise row.error(
                    "expected polygons of finite numbers, two for each of 2 or more corners",
                    "segmentation",
                )
    return instances


def polygon_mask(segmentation: Segmentation, size_wh: Size) -> Mask:
    """Polygons filled with their outline, `(H, W)` bool: a pixel larger than COCO's.

    Source: `get_gt_segmentation`, lines 34-47.
    """
    page = PILImage.new("L", size_wh)
    pen = ImageDraw.Draw(page)
    for polygons in segmentation:
        for polygon in polygons:
            pen.polygon(list(zip(polygon[::2], polygon[1::2], strict=True)), outline=1, fill=1)
    return np.asarray(page, dtype=bool)


def _is_polygon(polygon: object) -> bool:
    if not isinstance(polygon, list) or len(polygon) < 4 or len(polygon) % 2:
        return False
    try:
        return math.isfinite(math.fsum(polygon))
    except (TypeError, ValueError, OverflowError):
        return False
