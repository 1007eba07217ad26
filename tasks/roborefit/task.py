"""RoboRefIt: draw a box around the object that an instruction to a robot means.

Layout (Embodied-R1's test file, commit e599e95): `rows.json` with `id`, `problem`, `image`,
`bbox` in pixels; images beside it or in `images/`. One box an item: the first. Accuracy is
IoU >= 0.5; the other numbers of `scorers/boxes.py` stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from er_bench.core.answer import Answer, Boxes, Value
from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect, Benchmark
from er_bench.core.errors import DataError
from er_bench.core.geometry import Box, Size, Unit
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.sample import Image, Sample, Text
from er_bench.core.score import Score
from er_bench.core.task import Aggregate, Judgement, QuestionTask, Scored
from er_bench.data.rows import FileBlob, Row, find_files, inside, read_rows
from er_bench.reading.coordinates import after_thinking, bracket_quads, loose_quads
from er_bench.scorers.boxes import BoxScore, score_box
from er_bench.tasks.base.pointing import (
    boxes_from_px,
    boxes_px,
    header_size,
    image_of,
    read_objects,
)

PROMPT = (
    "{problem}\nGive the bounding box of the object that is meant, as [x1, y1, x2, y2] in pixels "
    "of the image, and nothing else."
)


@dataclass(frozen=True, slots=True)
class Target:
    """The true box, pixels."""

    box_px_xyxy: Box


class RoboRefIt(QuestionTask):
    """One box for one instruction."""

    judges_in_thread: ClassVar[bool] = True

    def samples(self) -> Iterator[Sample]:
        """Every row."""
        for file in find_files(self.root, "rows.json", "roborefit*.json", "*.json"):
            for row in read_rows(file):
                yield self._sample(row)

    def _sample(self, row: Row) -> Sample:
        name = row.text("image")
        paths = [inside(folder, name, row, "image") for folder in (self.root / "images", self.root)]
        image = FileBlob(next((p for p in paths if p.is_file()), paths[0]))
        return Sample(
            id=str(row.integer("id")),
            parts=(Image(image), Text(row.text("problem"))),
            target=Target(_box(row)),
            cluster=name,
            category="all",
            where=row.where,
        )

    def prompt(self, sample: Sample, dialect: AnyDialect) -> Prompt:
        """er-bench's own words, or the dialect's; the data set fixes none for boxes."""
        image, text = sample.parts
        assert isinstance(text, Text)
        if isinstance(dialect, Benchmark):
            said = PROMPT.replace("{problem}", text.text)
        else:
            said = dialect.box_prompt(text.text, text.text)
        return Prompt((user(image, said),), Expect.BOXES)

    def judge(self, sample: Sample, completion: Completion, dialect: AnyDialect) -> Judgement:
        """IoU >= 0.5 of the first box, and every other number as parts."""
        text = completion.text
        if isinstance(dialect, Benchmark):
            official = _pixels(bracket_quads(text))
            robust = _pixels(loose_quads(after_thinking(text)))
        else:
            official, robust = dialect.read_boxes(text), dialect.read_boxes_tolerant(text)
        one, other = (self._score(a, sample, completion) for a in (official, robust))
        parts = one.parts() | {f"robust_{k}": v for k, v in other.parts().items()}
        parts["n_boxes"] = len(official.value.xyxy) if isinstance(official.value, Boxes) else 0
        return Judgement(
            official, robust, Score(float(one.iou >= 0.5), float(other.iou >= 0.5), parts)
        )

    def _score(self, answer: Answer, sample: Sample, completion: Completion) -> BoxScore:
        if not isinstance(answer.value, Boxes):
            return BoxScore()
        size: Size = (1, 1) if answer.value.unit is Unit.PIXEL else self.size_wh(sample)
        found = boxes_px(answer, size, sample, completion)
        return score_box(found, sample.target.box_px_xyxy)

    def aggregate(self, scored: Sequence[Scored], reading: str = "official") -> Aggregate:
        """acc@0.5, and the mean of every other number; GIoU, from -1 to 1, apart."""
        made = super().aggregate(scored, reading)
        prefix = "" if reading == "official" else "robust_"
        names = BoxScore().parts() if scored else {}
        means = {n: fmean(s.score.parts[prefix + n] for s in scored) for n in names}
        giou = {"giou": means.pop("giou")} if means else {}
        return Aggregate(made.score, means, giou)

    def check(self, sample: Sample) -> None:
        """The box must lie on the image."""
        (w, h), (_, _, x2, y2) = self.size_wh(sample), sample.target.box_px_xyxy
        if x2 > w or y2 > h:
            raise DataError(
                f"the box reaches ({x2:g}, {y2:g}), the image is {w}x{h}",
                file=self.root,
                row=sample.where,
                field="bbox",
            )

    def truth_identity(self, sample: Sample) -> object:
        """The box."""
        return sample.target.box_px_xyxy

    def size_wh(self, sample: Sample) -> Size:
        """From the image's header: the rows do not tell it."""
        return header_size(image_of(sample))

    def ideal(self, sample: Sample) -> Value:
        """The true box."""
        return Boxes((sample.target.box_px_xyxy,), Unit.PIXEL)

    def write(self, value: Value, sample: Sample, dialect: AnyDialect) -> str:
        """A box in pixels, as a model with this dialect would write it."""
        assert isinstance(value, Boxes)
        if isinstance(dialect, Benchmark):
            return f"[{', '.join(str(round(n)) for n in value.xyxy[0])}]"
        boxes = boxes_from_px(value.xyxy, dialect.unit, self.size_wh(sample))
        return dialect.write_boxes(Boxes(tuple(boxes), dialect.unit))

    def objects(self, sample: Sample) -> Sequence[Value]:
        """The box of each thing, from `objects.json` of a mini split."""
        return [
            Boxes(((x1, y1, x2, y2),), Unit.PIXEL)
            for x1, y1, x2, y2 in read_objects(self.root).get(sample.id, ())
        ]


TASK = RoboRefIt


def _box(row: Row) -> Box:
    found = row.items("bbox")
    numbers = [Row({"bbox": n}, row.file, row.index).number("bbox") for n in found]
    if len(numbers) != 4:
        raise row.error(f"expected four numbers, found {len(numbers)}", "bbox")
    x1, y1, x2, y2 = numbers
    if not (0 <= x1 < x2 and 0 <= y1 < y2):
        raise row.error(f"not a box with an area: {numbers}", "bbox")
    return x1, y1, x2, y2


def _pixels(quads: Sequence[tuple[float, ...]]) -> Answer:
    boxes = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in quads)
    if not boxes or not all(abs(n) < 1e300 for box in boxes for n in box):
        return Answer.unparsed()
    return Answer(Boxes(boxes, Unit.PIXEL))
