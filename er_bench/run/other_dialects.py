"""The answers of a run read in other dialects: nothing is asked or replayed, the judge alone runs.

Where a model's numbers count something else than its card says (pixels, not thousandths), or come
in the other order, its score is that of another dialect of the same answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from er_bench.core.answer import Answer, Boxes, Points, Status
from er_bench.core.dialect import AnyDialect, Benchmark, Dialect
from er_bench.core.errors import DataError
from er_bench.core.geometry import PixelGrid, Unit
from er_bench.core.record import Record
from er_bench.core.registry import Registry
from er_bench.core.score import Aggregate, Scored
from er_bench.core.task import AnySample, AnyTask

WORDS = {
    Unit.FRACTION: "fractions",
    Unit.PERCENT: "percent",
    Unit.PER_1000: "thousandths",
    Unit.PER_1024: "1024ths",
    Unit.PIXEL: "pixels",
    Unit.PIXEL_SENT: "pixels of the picture as sent",
}


@dataclass(frozen=True, slots=True)
class OtherFrame:
    """A dialect whose numbers are taken to count something else, or to stand in the other order.

    It reads what `base` reads. It has no lineage, so no benchmark's released reader of a family
    takes the place of that.
    """

    base: Dialect
    unit: Unit
    turned: bool

    @property
    def name(self) -> str:
        """In words."""
        return f"{WORDS[self.unit]}, axes swapped" if self.turned else WORDS[self.unit]

    @property
    def lineage(self) -> tuple[str, ...]:
        """Of no family."""
        return ()

    @property
    def grid(self) -> PixelGrid | None:
        """That of the base, where pixels as sent are counted."""
        return self.base.grid if self.unit is Unit.PIXEL_SENT else None

    @property
    def order(self) -> Literal["xy", "yx"]:
        """That of the base, or the other."""
        if not self.turned:
            return self.base.order
        return "yx" if self.base.order == "xy" else "xy"

    @property
    def example(self) -> str:
        """The base's."""
        return self.base.example

    @property
    def box_example(self) -> str:
        """The base's."""
        return self.base.box_example

    @property
    def source(self) -> str:
        """Nobody's."""
        return "er-bench explain"

    def point_prompt(self, question: str, referring: str) -> str:
        """The base's."""
        return self.base.point_prompt(question, referring)

    def box_prompt(self, question: str, referring: str) -> str:
        """The base's."""
        return self.base.box_prompt(question, referring)

    def read_points(self, text: str) -> Answer:
        """As the base reads, in this frame."""
        return self._framed(self.base.read_points(text))

    def read_points_tolerant(self, text: str) -> Answer:
        """As the base reads, in this frame."""
        return self._framed(self.base.read_points_tolerant(text))

    def read_boxes(self, text: str) -> Answer:
        """As the base reads, in this frame."""
        return self._framed(self.base.read_boxes(text))

    def read_boxes_tolerant(self, text: str) -> Answer:
        """As the base reads, in this frame."""
        return self._framed(self.base.read_boxes_tolerant(text))

    def write_points(self, points: Points) -> str:
        """As the base writes."""
        return self.base.write_points(points)

    def write_boxes(self, boxes: Boxes) -> str:
        """As the base writes."""
        return self.base.write_boxes(boxes)

    def _framed(self, answer: Answer) -> Answer:
        match answer.value:
            case Points(xy, _):
                pairs = tuple((y, x) for x, y in xy) if self.turned else xy
                return Answer(Points(pairs, self.unit), Status.OK)
            case Boxes(xyxy, _):
                boxes = tuple((b, a, d, c) for a, b, c, d in xyxy) if self.turned else xyxy
                return Answer(Boxes(boxes, self.unit), Status.OK)
        return answer


def neighbours(dialect: AnyDialect, registry: Registry) -> Iterator[AnyDialect]:
    """Every other frame of a dialect; for a run without one, every dialect that there is."""
    if isinstance(dialect, Benchmark):
        for name in registry.dialect_names():
            if name != dialect.name:
                yield registry.dialect(name)
        return
    for unit, turned in product(Unit, (False, True)):
        if (unit, turned) != (dialect.unit, False):
            yield OtherFrame(dialect, unit, turned)


@dataclass(frozen=True, slots=True)
class ReadOtherwise:
    """A task's score with its answers read in another dialect."""

    name: str
    made: Aggregate
    scores: dict[str, float | None]
    """Of each sample, its first repeat, by id."""


def read_otherwise(
    task: AnyTask,
    records: Iterable[tuple[AnySample, Record]],
    dialect: AnyDialect,
    reading: str,
) -> ReadOtherwise | None:
    """A task's records judged in another dialect; None where it needs sizes that are not known."""
    again = type(task)(task.card, task.root, task.protocol, dialect, with_media=False)
    rule = again.readings[reading]
    scored: list[Scored] = []
    scores: dict[str, float | None] = {}
    try:
        for sample, record in records:
            verdict = rule.judge(sample, record.rollout)
            scored.append(Scored(record.cluster, record.category, verdict.score, verdict.parts))
            scores.setdefault(record.id, verdict.score)
    except DataError:
        return None
    return ReadOtherwise(dialect.name, rule.aggregate(scored), scores)
