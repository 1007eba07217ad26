"""Points, boxes and masks; every conversion between coordinate frames lives here.

Frames: x runs right, y runs down, the origin is the outer corner of the top-left pixel.
A size is always `(width, height)` in pixels and named `*_wh`; an array of pixels is `(H, W)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Size = tuple[int, int]
Mask = NDArray[np.bool_]


class Unit(StrEnum):
    """What one coordinate counts."""

    FRACTION = "fraction"
    """0..1 of the width or height."""
    PERCENT = "percent"
    """0..100 of the width or height."""
    PER_1000 = "per_1000"
    """0..1000 of the width or height."""
    PER_1024 = "per_1024"
    """0..1024 of the width or height."""
    PIXEL = "pixel"
    """Pixels of the original image."""
    PIXEL_SENT = "pixel_sent"
    """Pixels of the image as it was sent to the model, after any resize."""


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """A processor's resize: both sides multiples of `multiple`, the area within two bounds.

    Source: Qwen2-VL's `smart_resize` (transformers 5.23, `image_processing_qwen2_vl.py`), whose
    released bounds are 3,136 and, for Qwen2.5-VL, 12,845,056 pixels.
    """

    multiple: int = 28
    min_pixels: int = 56 * 56
    max_pixels: int = 28 * 28 * 128 * 128

    def __post_init__(self) -> None:
        """Raise ValueError for bounds that no picture is within."""
        if max(self.min_pixels, self.multiple**2) > self.max_pixels:
            raise ValueError(
                f"max_pixels={self.max_pixels} is less than min_pixels={self.min_pixels} or than "
                f"one piece of {self.multiple}x{self.multiple}"
            )

    def __str__(self) -> str:
        """In words."""
        return f"in multiples of {self.multiple}, of {self.min_pixels} to {self.max_pixels} pixels"

    def fitted(self, size_wh: Size) -> Size:
        """The size that a picture is given. Raises ValueError for sides of more than 200 to 1."""
        if max(size_wh) > 200 * min(size_wh):
            raise ValueError(f"a picture of {size_wh[0]}x{size_wh[1]} is too narrow to be resized")
        step, area = self.multiple, size_wh[0] * size_wh[1]
        w, h = (round(side / step) * step for side in size_wh)
        if w * h > self.max_pixels:
            by = sqrt(area / self.max_pixels)
            w, h = (max(step, floor(side / by / step) * step) for side in size_wh)
        elif w * h < self.min_pixels:
            by = sqrt(self.min_pixels / area)
            w, h = (ceil(side * by / step) * step for side in size_wh)
        return w, h

    def settled(self, size_wh: Size) -> Size:
        """The fitted size, fitted again until it is kept: a very long picture takes two steps.

        Raises ValueError where none is kept: bounds that are close leave some shapes no size.
        """
        fitted = size_wh
        for _ in range(10):
            last, fitted = fitted, self.fitted(fitted)
            if fitted == last:
                return fitted
        raise ValueError(f"a picture of {size_wh[0]}x{size_wh[1]} has no size {self}")


_SCALE = {Unit.FRACTION: 1.0, Unit.PERCENT: 100.0, Unit.PER_1000: 1000.0, Unit.PER_1024: 1024.0}


def to_pixel(value: float, unit: Unit, length_px: int, sent_px: int | None = None) -> float:
    """One coordinate in pixels of the original image.

    The order of operations, `value / scale * length`, is that of the released point readers
    (Vlaser README `text2pts`, commit 40d7821), so truncation gives the same pixel.

    Raises:
        ValueError: `unit` is PIXEL_SENT and `sent_px` is not known.
    """
    if unit is Unit.PIXEL:
        return value
    if unit is Unit.PIXEL_SENT:
        if not sent_px:
            raise ValueError("pixels of the image as sent need the size of that image")
        return value / sent_px * length_px
    return value / _SCALE[unit] * length_px


def points_to_px(
    points_xy: Iterable[Point], unit: Unit, size_wh: Size, sent_wh: Size | None = None
) -> list[Point]:
    """Points in pixels of the original image, neither rounded nor clipped."""
    w, h = size_wh
    sent_w, sent_h = sent_wh or (None, None)
    return [(to_pixel(x, unit, w, sent_w), to_pixel(y, unit, h, sent_h)) for x, y in points_xy]


def boxes_to_px(
    boxes_xyxy: Iterable[Box], unit: Unit, size_wh: Size, sent_wh: Size | None = None
) -> list[Box]:
    """Boxes in pixels of the original image, neither rounded nor clipped."""
    boxes_px = []
    for x1, y1, x2, y2 in boxes_xyxy:
        (ax, ay), (bx, by) = points_to_px([(x1, y1), (x2, y2)], unit, size_wh, sent_wh)
        boxes_px.append((ax, ay, bx, by))
    return boxes_px


def from_px(point_px_xy: Point, unit: Unit, size_wh: Size, sent_wh: Size | None = None) -> Point:
    """A point of the original image in another unit; the inverse of `points_to_px`."""
    (x, y), (w, h) = point_px_xy, size_wh
    if unit is Unit.PIXEL:
        return x, y
    if unit is Unit.PIXEL_SENT:
        sent_w, sent_h = sent_wh or size_wh
        return x / w * sent_w, y / h * sent_h
    return x / w * _SCALE[unit], y / h * _SCALE[unit]


def in_mask(point_px_xy: Point, mask_hw: Mask) -> bool:
    """Whether the pixel under a point (truncated toward zero) lies in the mask.

    A point outside the image is not in the mask: -0.5 truncates to 0 in released code, and here.
    Nor is one that is no number.
    """
    if not (isfinite(point_px_xy[0]) and isfinite(point_px_xy[1])):
        return False
    x, y = int(point_px_xy[0]), int(point_px_xy[1])
    h, w = mask_hw.shape
    return 0 <= x < w and 0 <= y < h and bool(mask_hw[y, x])


def inner_point(mask_hw: Mask) -> Point:
    """The centre of a pixel deep inside a mask: the one that erosion removes last.

    Raises:
        ValueError: the mask is empty.
    """
    from scipy.ndimage import distance_transform_edt

    if not mask_hw.any():
        raise ValueError("the mask is empty")
    depth = distance_transform_edt(np.pad(mask_hw, 1))[1:-1, 1:-1]
    y, x = divmod(int(np.argmax(depth)), mask_hw.shape[1])
    return x + 0.5, y + 0.5


def mask_box(mask_hw: Mask) -> Box:
    """The tight box around a mask, pixels, xyxy, right and bottom exclusive."""
    ys, xs = np.nonzero(mask_hw)
    if not len(xs):
        raise ValueError("the mask is empty")
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


def iou(a_xyxy: Sequence[float], b_xyxy: Sequence[float]) -> float:
    """Intersection over union of two boxes in one frame; 0 when either has no area."""
    width = min(a_xyxy[2], b_xyxy[2]) - max(a_xyxy[0], b_xyxy[0])
    height = min(a_xyxy[3], b_xyxy[3]) - max(a_xyxy[1], b_xyxy[1])
    area_a, area_b = box_area(a_xyxy), box_area(b_xyxy)
    if area_a <= 0 or area_b <= 0 or width <= 0 or height <= 0:
        return 0.0
    return width * height / (area_a + area_b - width * height)


def box_area(box_xyxy: Sequence[float]) -> float:
    """Area of a box; 0 for a reversed or degenerate one."""
    return max(0.0, box_xyxy[2] - box_xyxy[0]) * max(0.0, box_xyxy[3] - box_xyxy[1])
