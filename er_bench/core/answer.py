"""An answer: a completion read into a typed value, with a status."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from er_bench.core.geometry import Box, Point, Unit


class Status(StrEnum):
    """How reading went."""

    OK = "ok"
    UNPARSED = "unparsed"
    """No value of the expected kind could be read."""
    AMBIGUOUS = "ambiguous"
    """Several different values fit and the rule has no way to choose."""
    OUT_OF_RANGE = "out_of_range"
    """A value was read but cannot be meant: a letter that is no option, a point off the frame."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points `(x, y)` in one unit, in the order in which they were written."""

    xy: tuple[Point, ...]
    unit: Unit


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes `(x1, y1, x2, y2)` in one unit, in the order in which they were written."""

    xyxy: tuple[Box, ...]
    unit: Unit


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: steps as the benchmark writes them (action ids, or skill calls as JSON values)."""

    steps: tuple[Any, ...]


Value = str | float | Points | Boxes | Plan


@dataclass(frozen=True, slots=True)
class Answer:
    """A typed value and how it was read; no value unless the status is OK or OUT_OF_RANGE."""

    value: Value | None
    status: Status = Status.OK
    note: str = ""

    @classmethod
    def unparsed(cls, note: str = "") -> Answer:
        """An answer that could not be read."""
        return cls(None, Status.UNPARSED, note)

    def to_json(self) -> dict[str, Any]:
        """The answer as it is kept in `records.jsonl`."""
        out: dict[str, Any] = {"status": str(self.status), "value": value_to_json(self.value)}
        return out | ({"note": self.note} if self.note else {})


def value_to_json(value: Value | None) -> Any:
    """A value in JSON: geometry carries its unit."""
    match value:
        case Points(xy, unit):
            return {"points_xy": [list(p) for p in xy], "unit": str(unit)}
        case Boxes(xyxy, unit):
            return {"boxes_xyxy": [list(b) for b in xyxy], "unit": str(unit)}
        case Plan(steps):
            return {"plan": list(steps)}
    return value
