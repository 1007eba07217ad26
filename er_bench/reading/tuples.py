"""Tuples drawn into pixels: `(x, y)` is a point, `(x0, y0, x1, y1)` a filled box.

The rule of RoboPoint, kept by RoboRefer with changes: numbers with a decimal point are fractions
of the image, whole numbers are pixels. None stands for an exception in the released code, which
drops the item from the mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from er_bench.core.answer import Answer, Boxes, Points
from er_bench.core.geometry import Box, Point, Size, Unit
from er_bench.reading.coordinates import (
    Numbers,
    attribute_pairs,
    exact_tuples,
    loose_pairs,
    loose_quads,
    named_quads,
    place_texts,
)

MOST_BOX_PIXELS = 2**26
"""More pixels than this in one box are a failure: released code would list them one by one."""
_INT64, _UINT64 = 2**63, 2**64
_LONGEST_SIDE = 2**60
"""numpy makes no page of 8-byte numbers with a longer side, not even an empty one."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Points and boxes in whole pixels, boxes right and bottom exclusive."""

    points_px_xy: tuple[Point, ...] = ()
    boxes_px_xyxy: tuple[Box, ...] = ()

    def answer(self) -> Answer:
        """The same as an answer; boxes beside points are only counted."""
        if self.points_px_xy:
            note = f"and {len(self.boxes_px_xyxy)} boxes" if self.boxes_px_xyxy else ""
            return Answer(Points(self.points_px_xy, Unit.PIXEL), note=note)
        if self.boxes_px_xyxy:
            return Answer(Boxes(self.boxes_px_xyxy, Unit.PIXEL))
        return Answer.unparsed()


def robopoint(found: Iterable[Numbers] | None, size_wh: Size) -> Drawn | None:
    """RoboPoint `summarize_vqa.py` `text2pts`, commit adbee8d, lines 9-33.

    Boxes are drawn as slices of an image of this size: clipped, negative bounds from the far
    side, empty when reversed. A box whose first number is whole and another is not raises, and
    so does scaling an infinite number.
    """
    points, boxes = [], []
    try:
        for numbers in found or ():
            if len(numbers) == 2:
                points.append(_point(numbers, size_wh))
            elif len(numbers) == 4:
                box = _scaled(numbers, size_wh) if isinstance(numbers[0], float) else numbers
                if any(isinstance(n, float) for n in box):
                    return None
                boxes.append(_sliced(box, size_wh))
    except (OverflowError, ValueError):
        return None
    drawn = Drawn(tuple(points), tuple(boxes))
    return drawn if found is not None and indexable(drawn) else None


def roborefer(found: Iterable[Numbers] | None, size_wh: Size, *, absolute: bool) -> Drawn | None:
    """RoboRefer `Evaluation/summarize_acc.py` `text2pts`, commit d97a995.

    Relative: all four numbers of a box are scaled, whole ones too. Absolute: nothing is scaled,
    and a box with a decimal point raises; a point with one is truncated, where the released run
    breaks off. A reversed box raises, and so does one too large to be listed.
    """
    points, boxes = [], []
    try:
        for numbers in found or ():
            if len(numbers) == 2:
                whole: Point = (int(numbers[0]), int(numbers[1]))
                points.append(whole if absolute else _point(numbers, size_wh))
            elif len(numbers) == 4:
                if absolute and any(isinstance(n, float) for n in numbers):
                    return None
                box = numbers if absolute else _scaled(numbers, size_wh)
                if not _listable(box):
                    return None
                boxes.append((box[0], box[1], box[2], box[3]))
    except (OverflowError, ValueError):
        return None
    drawn = Drawn(tuple(points), tuple(boxes))
    return drawn if found is not None and indexable(drawn) else None


def indexable(drawn: Drawn) -> bool:
    """Whether numpy holds all points as whole numbers, so that released code can index a mask.

    From 2**63 on it makes floats or objects of them, at which indexing breaks off, unless all are
    between 2**63 and 2**64.
    """
    numbers = [n for point in drawn.points_px_xy for n in point]
    if all(-_INT64 <= n < _INT64 for n in numbers):
        return True
    return not any(map(_pixels, drawn.boxes_px_xyxy)) and all(
        _INT64 <= n < _UINT64 for n in numbers
    )


def _listable(box: Sequence[float]) -> bool:
    """Whether the pixels of a box can be listed one by one."""
    width, height = box[2] - box[0], box[3] - box[1]
    return (
        min(width, height) >= 0
        and max(width, height) < _LONGEST_SIDE
        and _pixels(box) <= MOST_BOX_PIXELS
        and all(-_INT64 <= n < _INT64 for n in box)
    )


def scaled_pairs(text: str, size_wh: Size) -> Drawn | None:
    """Every pair as fractions, whatever its numbers look like; None where the code raises.

    lmms-eval 75571cfe `_text2pts`: a number too large for the image is a point outside it; one that
    is infinite, or larger than numpy's whole numbers, raises.
    """
    found, (w, h) = exact_tuples(text), size_wh
    if found is None:
        return None
    try:
        points = [(int(n[0] / 1 * w), int(n[1] / 1 * h)) for n in found if len(n) == 2]
    except OverflowError:
        return None
    drawn = Drawn(tuple(points))
    return drawn if indexable(drawn) else None


def tolerant(text: str, size_wh: Size) -> Drawn:
    """Boxes and points in any brackets or JSON, by the same rule; reversed boxes are turned."""
    drawn = Drawn()
    for said in place_texts(text):
        drawn = _tolerant(said, size_wh)
        if drawn != Drawn():
            break
    return drawn


def _tolerant(said: str, size_wh: Size) -> Drawn:
    boxes, points = [], []
    for numbers in filter(_finite, loose_quads(said) or named_quads(said)):
        fractions = any(isinstance(n, float) for n in numbers)
        x0, y0, x1, y1 = _scaled(numbers, size_wh) if fractions else numbers
        boxes.append((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    for numbers in filter(_finite, attribute_pairs(said) or loose_pairs(said)):
        points.append(_point(numbers, size_wh))
    kept = [box for box in boxes if _pixels(box) <= MOST_BOX_PIXELS]
    return Drawn(tuple(points), tuple(kept))


def _finite(numbers: Numbers) -> bool:
    return all(abs(n) < 1e15 for n in numbers)


def _point(numbers: Numbers, size_wh: Size) -> Point:
    x, y = numbers
    if isinstance(x, float) or isinstance(y, float):
        return int(x * size_wh[0]), int(y * size_wh[1])
    return x, y


def _scaled(numbers: Sequence[float], size_wh: Size) -> Box:
    (x0, y0, x1, y1), (w, h) = numbers, size_wh
    return int(x0 * w), int(y0 * h), int(x1 * w), int(y1 * h)


def _sliced(box: Sequence[float], size_wh: Size) -> Box:
    x0, y0, x1, y1 = (int(n) for n in box)
    left, right, _ = slice(x0, x1).indices(size_wh[0])
    top, bottom, _ = slice(y0, y1).indices(size_wh[1])
    return left, top, max(left, right), max(top, bottom)


def _pixels(box: Sequence[float]) -> float:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])
