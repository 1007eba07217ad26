"""An answer: a completion read into a typed value, with a status."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

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

    steps: tuple[JsonValue, ...]


Value = str | float | Points | Boxes | Plan


@dataclass(frozen=True, slots=True)
class Answer:
    """A typed value and how it was read; no value unless the status is OK or OUT_OF_RANGE."""

    value: Value | None
    status: Status = Status.OK
    note: str = ""
    """Why, unless the status is OK."""

    @classmethod
    def unparsed(cls, note: str = "nothing of the expected form is there") -> Answer:
        """An answer that could not be read."""
        return cls(None, Status.UNPARSED, note)
