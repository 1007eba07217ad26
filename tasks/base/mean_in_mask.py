"""The base of tasks whose answers are drawn, points and filled boxes, and averaged over a mask."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from er_bench.core.answer import Answer
from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect, Benchmark, Dialect
from er_bench.core.geometry import Point, Size, Unit, from_px
from er_bench.core.sample import Sample
from er_bench.core.score import Score
from er_bench.core.task import Judgement
from er_bench.reading.tuples import Drawn, tolerant
from er_bench.tasks.base.pointing import PointTask, boxes_px

DrawnReader = Callable[[str, Size], Drawn | None]
"""Text and image size to points and boxes in pixels; None where the released reader raises."""
TUPLE_DIALECTS = ("benchmark", "roborefer", "robopoint", "fraction_tuples")
"""Who is asked for tuples in fractions, and read as RoboPoint reads."""


class DrawnTask(PointTask):
    """Scored by the mean mask value; an answer that the released reader fails on is left out."""

    readers: ClassVar[Mapping[str, DrawnReader]]
    """The released readers by dialect, all of `TUPLE_DIALECTS` among them."""

    @abstractmethod
    def mean(self, sample: Sample, drawn: Drawn) -> float:
        """The mean mask value over what was drawn, 0..1."""

    def judge(self, sample: Sample, completion: Completion, dialect: AnyDialect) -> Judgement:
        """Both readings, drawn and averaged; no official score where the released reader raises."""
        official, said = self._official(sample, completion, dialect)
        robust, meant = self._robust(sample, completion, dialect)
        scored = None if official is None else self.mean(sample, official)
        return Judgement(said, meant, Score(scored, self.mean(sample, robust)))

    def read_dialect(self, text: str, dialect: Dialect) -> tuple[Answer, Answer]:
        """A family's own strict and tolerant reading."""
        return dialect.read_points(text), dialect.read_points_tolerant(text)

    def own_text(self, points_px_xy: list[Point], sample: Sample) -> str:
        """Fractions as tuples."""
        shown = [from_px(p, Unit.FRACTION, self.size_wh(sample)) for p in points_px_xy]
        return "[" + ", ".join(f"({x:.4f}, {y:.4f})" for x, y in shown) + "]"

    def _official(
        self, sample: Sample, completion: Completion, dialect: AnyDialect
    ) -> tuple[Drawn | None, Answer]:
        reader = self.readers.get(dialect.name)
        if reader is None:
            assert not isinstance(dialect, Benchmark)
            answer, _ = self.read_dialect(completion.text, dialect)
            return self._drawn(answer, sample, completion), answer
        drawn = reader(completion.text, self.size_wh(sample))
        if drawn is None:
            return None, Answer.unparsed("the released reader raises")
        return drawn, drawn.answer()

    def _robust(
        self, sample: Sample, completion: Completion, dialect: AnyDialect
    ) -> tuple[Drawn, Answer]:
        if dialect.name in TUPLE_DIALECTS:
            drawn = tolerant(completion.text, self.size_wh(sample))
            return drawn, drawn.answer()
        assert not isinstance(dialect, Benchmark)
        _, answer = self.read_dialect(completion.text, dialect)
        return self._drawn(answer, sample, completion), answer

    def _drawn(self, answer: Answer, sample: Sample, completion: Completion) -> Drawn:
        boxes = boxes_px(answer, self.size_wh(sample), sample, completion)
        return Drawn(tuple(self.points_px(answer, sample, completion)), tuple(boxes))
