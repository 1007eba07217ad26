"""Segmentations as polygons: read from rows, drawn as masks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image as PILImage
from PIL import ImageDraw

from er_bench.core.geometry import Mask, Size
from er_bench.data.rows import Row

Segmentation = Sequence[Sequence[Sequence[float]]]
"""Instances, each a list of polygons `[x1, y1, x2, y2, ..]` in pixels."""


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

    Source: Vlaser `eval/evaluate_point_paco.py` `get_gt_segmentation`, commit 40d7821, lines 34-47.
    """
    page = PILImage.new("L", size_wh)
    pen = ImageDraw.Draw(page)
    for polygons in segmentation:
        for polygon in polygons:
            pen.polygon(list(zip(polygon[::2], polygon[1::2], strict=True)), outline=1, fill=1)
    return np.asarray(page, dtype=bool)


def outlines(segmentation: Segmentation) -> tuple[tuple[float, ...], ...]:
    """Every polygon of every instance."""
    return tuple(tuple(polygon) for polygons in segmentation for polygon in polygons)


def _is_polygon(polygon: object) -> bool:
    if not isinstance(polygon, list) or len(polygon) < 4 or len(polygon) % 2:
        return False
    try:
        return math.isfinite(math.fsum(polygon))
    except (TypeError, ValueError, OverflowError):
        return False
