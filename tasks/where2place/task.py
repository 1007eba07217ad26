"""Where2Place: point at free space that fits a description; masks are soft.

Released layout: `point_questions.jsonl`, `bbox_questions.jsonl`, `images/`, `masks/NN.jpg` by row
number; or the parquet copy with `question` and `mask` columns. Rule (RoboPoint `summarize_vqa.py`,
commit adbee8d): the mean of mask/255 over the predicted points, then the mean over images; text
is scaled with 640x480; an exception while reading drops the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from er_bench.answer import Answer, Boxes, Points, Value
from er_bench.carriers import tuples
from er_bench.data import FileBlob, Row, find_files, inside, read_rows
from er_bench.dialect import AnyDialect, Benchmark
from er_bench.geometry import Box, Point, Size, Unit, from_px, inner_point
from er_bench.pointing import (
    MASKS,
    PointTask,
    Read,
    boxes_px,
    check_same_size,
    mask_size,
    one_image,
)
from er_bench.prompt import Completion, Expect, Message, Prompt, user
from er_bench.sample import Blob, Image, Sample, Text
from er_bench.score import Score
from er_bench.scorers.points import mean_value
from er_bench.scorers.tuples import Drawn, robopoint, tolerant
from er_bench.task import Judgement
from er_bench.tasks.where2place.axes import WithAxes

SUFFIX = (
    "Your answer should be formatted as a list of tuples, i.e. [(x1, y1), (x2, y2), ...], where "
    "each tuple contains the x and y coordinates of a point satisfying the conditions above. The "
    "coordinates should be between 0 and 1, indicating the normalized pixel locations of the "
    "points in the image."
)
BOX_SYSTEM = (
    "You are an agent who reasons about free space and spatial relations. Based on the given image "
    "and prompt, your task is to output a tuple (min_x, min_y, max_x, max_y) that represents the "
    "bounding box of the object or region in the image that best matches the description in the "
    "prompt. min_x, min_y, max_x, max_y should be integers indicating pixel locations. Do not "
    "include any additional text in your answer other than the tuple (min_x, min_y, max_x, max_y)."
)
BOX_PREFIX = "Here is an image whose dimensions are labeled on the side."
TEXT_SIZE: Size = (640, 480)
"""What the released reader scales fractions with, whatever the image."""
TUPLE_DIALECTS = ("benchmark", "robopoint", "roborefer", "fraction_tuples")


@dataclass(frozen=True, slots=True)
class Target:
    """The soft mask, and the bare question."""

    mask: Path | Blob
    mask_name: str
    question: str


class Where2Place(PointTask):
    """Where2Place, 100 rows; protocol `official` or `box_pixels`."""

    def samples(self) -> Iterator[Sample]:
        """Every question, in the order that numbers the masks."""
        kind = "bbox" if self.protocol == "box_pixels" else "point"
        number = 0
        for file in find_files(self.root, f"{kind}_questions.jsonl", "*.parquet"):
            for row in read_rows(file):
                yield self._sample(row, number)
                number += 1

    def _sample(self, row: Row, number: int) -> Sample:
        sample_id = str(row.get("question_id"))
        if "mask" in row.fields:
            text, category = row.text("question"), str(row.fields.get("question_type", "all"))
            image = one_image(row, "image", sample_id, self.root)
            mask: Path | Blob = one_image(row, "mask", f"{sample_id} mask", self.root)
            mask_name = f"{number:02d}"
        else:
            text, category = row.text("text"), str(row.fields.get("category", "all"))
            image = FileBlob(inside(self.root / "images", row.text("image"), row, "image"))
            mask = self.root / "masks" / f"{number:02d}.jpg"
            mask_name = mask.stem
        question = text.removeprefix("<image>").lstrip("\n").split(" Your answer")[0]
        return Sample(
            id=sample_id,
            parts=(Image(image), Text(question)),
            target=Target(mask, mask_name, question),
            cluster=sample_id,
            category=category,
            where=row.where,
        )

    def prompt(self, sample: Sample, dialect: AnyDialect) -> Prompt:
        """The row's text with its suffix; a dialect's own words; or the box prompt over axes."""
        image, question = sample.parts[0], sample.target.question
        assert isinstance(image, Image)
        if self.protocol == "box_pixels":
            return self._box_prompt(image, question, dialect)
        if dialect.name in TUPLE_DIALECTS or isinstance(dialect, Benchmark):
            said = f"{question} {SUFFIX}"
        else:
            said = dialect.point_prompt(question, question)
        return Prompt((user(image, said),), Expect.POINTS)

    def _box_prompt(self, image: Image, question: str, dialect: AnyDialect) -> Prompt:
        if not isinstance(dialect, Benchmark):
            return Prompt((user(image, dialect.box_prompt(question, question)),), Expect.BOXES)
        system = Message("system", (Text(BOX_SYSTEM),))
        labelled = Image(WithAxes(image.blob))
        return Prompt((system, user(f"{BOX_PREFIX} {question}", labelled)), Expect.BOXES)

    def judge(self, sample: Sample, completion: Completion, dialect: AnyDialect) -> Judgement:
        """Soft mean over points and filled boxes; None where the released reader raises."""
        if dialect.name in TUPLE_DIALECTS:
            official = robopoint(tuples(completion.text), TEXT_SIZE)
            robust = tolerant(completion.text, self.size_wh(sample))
            answers = _answer(official), robust.answer()
        else:
            answers = self._read_dialect(sample, completion, dialect)
            official, robust = (self._drawn(a, sample, completion) for a in answers)
        scored = None if official is None else self._mean(sample, official)
        parts = {"dropped": 1.0} if scored is None else {}
        return Judgement(*answers, Score(scored, self._mean(sample, robust), parts))

    def _read_dialect(
        self, sample: Sample, completion: Completion, dialect: AnyDialect
    ) -> tuple[Answer, Answer]:
        if self.protocol == "box_pixels" and not isinstance(dialect, Benchmark):
            text = completion.text
            return dialect.read_boxes(text), dialect.read_boxes_tolerant(text)
        return self.read(sample, completion.text, dialect)

    def _drawn(self, answer: Answer, sample: Sample, completion: Completion) -> Drawn:
        points = tuple(self.points_px(answer, sample, completion))
        return Drawn(points, tuple(boxes_px(answer, self.size_wh(sample), sample, completion)))

    def _mean(self, sample: Sample, drawn: Drawn) -> float:
        values = MASKS.values(sample.target.mask)
        return mean_value(drawn.points_px_xy, drawn.boxes_px_xyxy, values) / 255

    def released_readers(self, sample: Sample) -> Mapping[str, Read]:
        """The tuple reader, as an answer."""
        return dict.fromkeys(TUPLE_DIALECTS, _read_tuples)

    def own_tolerant(self, text: str) -> Answer:
        """Tuples and other carriers, scaled as the released reader does."""
        return tolerant(text, TEXT_SIZE).answer()

    def own_text(self, points_px_xy: list[Point], sample: Sample) -> str:
        """Fractions as tuples."""
        shown = [from_px(p, Unit.FRACTION, self.size_wh(sample)) for p in points_px_xy]
        return "[" + ", ".join(f"({x:.4f}, {y:.4f})" for x, y in shown) + "]"

    def rate(self, sample: Sample, official: list[Point], robust: list[Point]) -> Score:
        """The soft mean of two lists of points."""
        one, other = (self._mean(sample, Drawn(tuple(p))) for p in (official, robust))
        return Score(one, other)

    def write(self, value: Value, sample: Sample, dialect: AnyDialect) -> str:
        """Points as usual; boxes as the tuple that the box prompt asks for."""
        if not isinstance(value, Boxes):
            return super().write(value, sample, dialect)
        if isinstance(dialect, Benchmark):
            return f"({', '.join(str(int(n)) for n in value.xyxy[0])})"
        corners = [
            from_px(corner, dialect.unit, self.size_wh(sample))
            for box in value.xyxy
            for corner in (box[:2], box[2:])
        ]
        box: Box = (*corners[0], *corners[1])
        return dialect.write_boxes(Boxes((box,), dialect.unit))

    def media(self, sample: Sample) -> Iterable[Blob | Path]:
        """Image and mask."""
        yield from super().media(sample)
        yield sample.target.mask

    def check(self, sample: Sample) -> None:
        """Mask and image must be of one size."""
        image = sample.parts[0]
        assert isinstance(image, Image)
        check_same_size(image.blob, sample.target.mask, sample, "mask")

    def truth_identity(self, sample: Sample) -> object:
        """The mask's number."""
        return sample.target.mask_name

    def size_wh(self, sample: Sample) -> Size:
        """The mask's size."""
        return mask_size(sample.target.mask)

    def ideal(self, sample: Sample) -> Value:
        """The point deepest in the full-valued part of the mask, or a small box around it."""
        x, y = inner_point(MASKS.values(sample.target.mask) == 255)
        if self.protocol == "box_pixels":
            return Boxes(((x - 2.5, y - 2.5, x + 2.5, y + 2.5),), Unit.PIXEL)
        return Points(((x, y),), Unit.PIXEL)


def _answer(drawn: Drawn | None) -> Answer:
    return Answer.unparsed("the released reader raises") if drawn is None else drawn.answer()


def _read_tuples(text: str) -> Answer:
    return _answer(robopoint(tuples(text), TEXT_SIZE))


TASK = Where2Place
