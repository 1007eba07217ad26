"""A dialect as data: instruction, readers, writers, unit and order of one model family."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypedDict, Unpack

from er_bench.core.answer import Answer, Boxes, Points, Status
from er_bench.core.errors import UsageError
from er_bench.core.geometry import Box, PixelGrid, Point, Unit
from er_bench.reading.coordinates import (
    Numbers,
    attribute_pairs,
    loose_pairs,
    loose_quads,
    named_quads,
    place_texts,
    without_corners,
)

Reader = Callable[[str], Sequence[Numbers]]
Writer = Callable[[Sequence[Numbers]], str]
UnitOf = Callable[[Sequence[Numbers]], Unit | None]

_LIMIT = {Unit.FRACTION: 1.0, Unit.PERCENT: 100.0, Unit.PER_1000: 1000.0, Unit.PER_1024: 1024.0}


class Changes(TypedDict, total=False):
    """The fields that a derived dialect may change."""

    unit: Unit
    grid: PixelGrid | None
    order: Literal["xy", "yx"]
    point_template: str
    point_reader: Reader
    point_writer: Writer
    example: str
    source: str
    question_template: str
    box_template: str
    box_reader: Reader
    box_writer: Writer
    box_example: str


@dataclass(frozen=True, slots=True)
class FamilyDialect:
    """One model family's way with coordinates; implements `er_bench.core.dialect.Dialect`.

    Templates hold `{question}` or `{referring}`. `point_reader` and `box_reader` return numbers in
    the order in which the family writes them. `unit_of` and `box_unit_of` are there for families
    whose released reader takes the unit from the way the numbers are written; None from them
    means that the numbers contradict one another.
    """

    name: str
    unit: Unit
    order: Literal["xy", "yx"]
    point_template: str
    point_reader: Reader
    point_writer: Writer
    example: str
    source: str
    question_template: str = ""
    """Used instead of `point_template` when the row has no bare expression."""
    box_template: str = ""
    box_reader: Reader | None = None
    box_writer: Writer | None = None
    box_example: str = ""
    unit_of: UnitOf | None = None
    box_unit_of: UnitOf | None = None
    grid: PixelGrid | None = None
    """The family's resize, where `unit` is PIXEL_SENT."""
    ancestors: tuple[str, ...] = ()
    """The dialects that this one was derived from, nearest first."""

    @property
    def lineage(self) -> tuple[str, ...]:
        """Its own name and its ancestors'."""
        return (self.name, *self.ancestors)

    def derive(self, name: str, **changes: Unpack[Changes]) -> FamilyDialect:
        """The dialect under another name with some fields changed; benchmarks read it alike."""
        return replace(self, name=name, ancestors=self.lineage, **changes)

    def point_prompt(self, question: str, referring: str) -> str:
        """The text that asks for points."""
        bare = referring == question and self.question_template
        return fill(self.question_template if bare else self.point_template, question, referring)

    def box_prompt(self, question: str, referring: str) -> str:
        """The text that asks for one box. Raises UsageError when the family writes no boxes."""
        if not self.box_template:
            raise UsageError(f"models of dialect {self.name!r} write no boxes; choose a point task")
        return fill(self.box_template, question, referring)

    def read_points(self, text: str) -> Answer:
        """The points that the family's released reader reads."""
        return self._points(self._xy(self.point_reader(text)))

    def read_points_tolerant(self, text: str) -> Answer:
        """Points in the family's own form, else in any form that models are known to use."""
        return _first(self._points_in(said) for said in place_texts(text))

    def _points_in(self, said: str) -> Answer:
        if own := self.point_reader(without_corners(said)):
            return self._points(self._xy(own))
        return self._points(attribute_pairs(said) or self._xy(loose_pairs(said)))

    def read_boxes(self, text: str) -> Answer:
        """The boxes that the family's released reader reads."""
        return (
            self._boxes(self.box_reader(text)) if self.box_reader else Answer.unparsed("no boxes")
        )

    def read_boxes_tolerant(self, text: str) -> Answer:
        """Boxes in the family's own form, else in any brackets, else with named corners."""
        return _first(self._boxes_in(said) for said in place_texts(text))

    def _boxes_in(self, said: str) -> Answer:
        own = self.box_reader(said) if self.box_reader else ()
        return self._boxes(
            own or loose_quads(said) or [self._turned(box) for box in named_quads(said)]
        )

    def write_points(self, points: Points) -> str:
        """Points, already in this dialect's unit, as the family writes them."""
        return self.point_writer(self._xy(points.xy))

    def write_boxes(self, boxes: Boxes) -> str:
        """Boxes, already in this dialect's unit. Raises UsageError when it writes none."""
        if self.box_writer is None:
            raise UsageError(f"models of dialect {self.name!r} write no boxes; choose a point task")
        return self.box_writer([self._turned(box) for box in boxes.xyxy])

    def _xy(self, pairs: Sequence[Numbers]) -> Sequence[Numbers]:
        return [(b, a) for a, b in pairs] if self.order == "yx" else pairs

    def _turned(self, box: Numbers) -> Numbers:
        a, b, c, d = box
        return (b, a, d, c) if self.order == "yx" else box

    def _points(self, pairs: Sequence[Numbers]) -> Answer:
        unit = self.unit_of(pairs) if self.unit_of and pairs else self.unit
        xy: tuple[Point, ...] = tuple((float(x), float(y)) for x, y in pairs)
        return _answer(xy, unit, lambda u: Points(xy, u))

    def _boxes(self, quads: Sequence[Numbers]) -> Answer:
        unit = self.box_unit_of(quads) if self.box_unit_of and quads else self.unit
        xyxy: tuple[Box, ...] = tuple(
            (float(a), float(b), float(c), float(d)) for a, b, c, d in map(self._turned, quads)
        )
        return _answer(xyxy, unit, lambda u: Boxes(xyxy, u))


def _first(answers: Iterable[Answer]) -> Answer:
    """The first answer with a value, else the last."""
    answer = Answer.unparsed()
    for answer in answers:
        if answer.value is not None:
            break
    return answer


def _answer(
    found: Sequence[Numbers], unit: Unit | None, value: Callable[[Unit], Points | Boxes]
) -> Answer:
    if not found:
        return Answer.unparsed()
    if not all(math.isfinite(n) for numbers in found for n in numbers):
        return Answer.unparsed("a number is not finite")
    if unit is None:
        return Answer(None, Status.AMBIGUOUS, "whole numbers and fractions are mixed")
    limit = _LIMIT.get(unit, math.inf)
    outside = sum(any(not 0 <= n <= limit for n in numbers) for numbers in found)
    if outside:
        return Answer(value(unit), Status.OUT_OF_RANGE, f"{outside} of {len(found)} off the frame")
    return Answer(value(unit))


def fill(template: str, question: str, referring: str) -> str:
    """A template with its two places filled, in one pass: the texts may hold braces."""
    words = {"question": question, "referring": referring}
    return re.sub(r"\{(question|referring)\}", lambda place: words[place[1]], template)
