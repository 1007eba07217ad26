"""A dialect: the way a model family asks for and writes points and boxes.

The dialect is a property of the model, declared on its card. It is never guessed from numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from er_bench.core.answer import Answer, Boxes, Points
from er_bench.core.geometry import PixelGrid, Unit


class Dialect(Protocol):
    """Instruction, reader, unit, axis order and frame of one model family.

    Strict readers read what the family's own released reader reads; tolerant ones read whatever
    can be meant. Neither ever raises. Values keep the dialect's unit; `core.geometry` converts.
    Readers return x before y, whatever order the text has.
    """

    @property
    def name(self) -> str:
        """The name that model cards use."""

    @property
    def lineage(self) -> tuple[str, ...]:
        """Its own name, then those of the dialects that it was made from, nearest first."""

    @property
    def unit(self) -> Unit:
        """What one coordinate counts."""

    @property
    def grid(self) -> PixelGrid | None:
        """The resize that pixels as sent are counted after; None for other units."""

    @property
    def order(self) -> Literal["xy", "yx"]:
        """Which coordinate the family writes first."""

    @property
    def example(self) -> str:
        """An answer with points, as the family writes it."""

    @property
    def box_example(self) -> str:
        """An answer with a box; empty when the family writes none."""

    @property
    def source(self) -> str:
        """Where instruction, reader and unit were read."""

    def point_prompt(self, question: str, referring: str) -> str:
        """The text that asks for points.

        `question` is the benchmark's request in words ("Point to the red cup."); `referring` is
        the bare expression ("the red cup") where the row has one, else the question again.
        """

    def box_prompt(self, question: str, referring: str) -> str:
        """The text that asks for one box. Raises UsageError when the family writes no boxes."""

    def read_points(self, text: str) -> Answer:
        """The points in an answer, read strictly; its value is `Points`."""

    def read_points_tolerant(self, text: str) -> Answer:
        """The points in an answer, read as well as can be; its value is `Points`."""

    def read_boxes(self, text: str) -> Answer:
        """The boxes in an answer, read strictly; its value is `Boxes`."""

    def read_boxes_tolerant(self, text: str) -> Answer:
        """The boxes in an answer, read as well as can be; its value is `Boxes`."""

    def write_points(self, points: Points) -> str:
        """Points, already in this dialect's unit, as the family writes them."""

    def write_boxes(self, boxes: Boxes) -> str:
        """Boxes, already in this dialect's unit, as the family writes them."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """No dialect: the benchmark's own prompt and its own reader are used.

    It is what a general model (GPT-4o), which has no convention of its own, is asked with.
    """

    name: str = "benchmark"

    @property
    def lineage(self) -> tuple[str, ...]:
        """Itself alone."""
        return (self.name,)


BENCHMARK = Benchmark()
AnyDialect = Dialect | Benchmark

V = TypeVar("V")


def of_lineage(table: Mapping[str, V], dialect: AnyDialect) -> V | None:
    """The entry of the dialect or of its nearest ancestor that has one.

    So a dialect made of another's with one change is asked and read by whatever a benchmark's
    released code has for that other one.
    """
    return next((table[name] for name in dialect.lineage if name in table), None)
