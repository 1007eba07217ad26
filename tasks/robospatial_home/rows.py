"""The truths of RoboSpatial-Home's rows: yes or no, or a region as corners and as a mask."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from er_bench.core.geometry import Point
from er_bench.core.sample import Blob
from er_bench.data.rows import Row, one_image

CATEGORIES = ("context", "compatibility", "configuration")
SUFFIX = (
    "Your answer should be formatted as a list of tuples, i.e. [(x1, y1), ...], where each tuple "
    "contains the x and y coordinates of a point satisfying the conditions above. The coordinates "
    "should be between 0 and 1, indicating the normalized pixel locations of the points."
)


@dataclass(frozen=True, slots=True)
class Region:
    """Free space: corners in fractions of the image, as listed, and the mask."""

    corners_xy: tuple[Point, ...]
    mask: Path | Blob


@dataclass(frozen=True, slots=True)
class Target:
    """The truth, the words that are asked with, and the question in them."""

    truth: Region | str
    """A region, or `yes` or `no`."""
    asked: str
    question: str


def target_of(row: Row, sample_id: str, root: Path) -> Target:
    """The target of a row. Raises DataError naming file, row and field."""
    said, answer = row.text("question"), row.get("answer")
    if isinstance(answer, str) and answer.strip().lower() in ("yes", "no"):
        return Target(answer.strip().lower(), said, said)
    corners = _corners(row, answer)
    mask = one_image(row, "mask", f"{sample_id} mask", root)
    question, told, _ = said.partition(" Your answer should be formatted")
    return Target(Region(corners, mask), said if told else f"{question} {SUFFIX}", question)


def _corners(row: Row, answer: Any) -> tuple[Point, ...]:
    """The corners in the order of the row: `[(x, y), ..]` as text, or a list of pairs."""
    if isinstance(answer, str):
        try:
            answer = json.loads(row.text("answer").replace("(", "[").replace(")", "]"))
        except (ValueError, RecursionError):
            answer = None
    pairs = answer if isinstance(answer, (list, tuple)) else []
    if len(pairs) < 3 or any(not isinstance(p, (list, tuple)) or len(p) != 2 for p in pairs):
        shown = repr(row.get("answer"))
        raise row.error(f"expected yes, no, or three or more corners, found {shown:.60}", "answer")
    return tuple((_fraction(row, x), _fraction(row, y)) for x, y in pairs)


def _fraction(row: Row, value: Any) -> float:
    number = Row({"answer": value}, row.file, row.index).number("answer")
    if not -0.5 <= number <= 1.5:
        raise row.error(f"expected corners in fractions of the image, found {number:g}", "answer")
    return number
