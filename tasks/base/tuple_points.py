"""Asking for tuples in fractions and reading them as RoboPoint and RoboRefer do.

Tuples of two are points, tuples of four filled boxes; both are drawn in pixels and averaged over a
mask. Families that the released code does not know are read by their own dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from er_bench.core.answer import Answer, Boxes, Points
from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect, of_lineage
from er_bench.core.geometry import Size, Unit
from er_bench.reading.coordinates import exact_tuples
from er_bench.reading.tuples import Drawn, robopoint, scaled_pairs, tolerant
from er_bench.tasks.base.located import Convention, Locate, Located, by

DrawnReader = Callable[[str, Size], Drawn | None]
"""Text and image size to points and boxes in pixels; None where the released reader raises."""
TUPLE_DIALECTS = ("benchmark", "roborefer", "robopoint", "fraction_tuples")
"""Who is asked for tuples in fractions, and read as RoboPoint reads."""


def write_fractions(points: Points) -> str:
    """Fractions as tuples."""
    return "[" + ", ".join(f"({x:.4f}, {y:.4f})" for x, y in points.xy) + "]"


def write_pixel_box(boxes: Boxes) -> str:
    """The first box as a tuple of whole numbers."""
    return f"({', '.join(str(int(n)) for n in boxes.xyxy[0])})"


def _unused(text: str) -> Answer:
    return _never(text)


def _never(*texts: str) -> NoReturn:
    raise NotImplementedError("tuples are asked for and read by the benchmark's own words")


OWN_POINTS = Convention(Unit.FRACTION, _never, _unused, _unused, write_fractions, write_pixel_box)
OWN_BOXES = Convention(Unit.PIXEL, _never, _unused, _unused, write_fractions, write_pixel_box)


def strict(
    readers: Mapping[str, DrawnReader], dialect: AnyDialect, convention: Convention
) -> Locate:
    """The released reader of a dialect's family, else the dialect's own strict one."""
    reader = of_lineage(readers, dialect)
    return _drawn(reader) if reader else by(convention.read)


def best(dialect: AnyDialect, convention: Convention) -> Locate:
    """The best reader: of tuples where tuples are asked for, else the dialect's tolerant one."""
    return _drawn(tolerant) if asks_for_tuples(dialect) else by(convention.read_tolerant)


def asks_for_tuples(dialect: AnyDialect) -> bool:
    """Whether models of a dialect are asked for tuples in fractions."""
    return of_lineage(dict.fromkeys(TUPLE_DIALECTS, True), dialect) is True


def _drawn(reader: DrawnReader) -> Locate:
    def locate(completion: Completion, size_wh: Size, where: str) -> Located:
        del where
        drawn = reader(completion.text, size_wh)
        if drawn is None:
            return Located(Answer.unparsed("the released reader raises"), raises=True)
        return Located(drawn.answer(), drawn.points_px_xy, drawn.boxes_px_xyxy)

    return locate


FLAGEVAL = _drawn(
    lambda text, size: robopoint(exact_tuples(text.strip().rpartition("\n")[2]), size)
)
"""Only the last line is read.

Source: FlagEvalMM fef27ec6, `flagevalmm/evaluator/point_utils.py` `text2pts`.
"""
LMMS_EVAL = _drawn(scaled_pairs)
"""Every pair is scaled, whole numbers too; boxes are not seen.

Source: lmms-eval 75571cfe, `lmms_eval/tasks/{where2place,refspatial}/utils.py` `_text2pts`.
"""
