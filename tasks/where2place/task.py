"""Where2Place: point at free space that fits a description; masks are soft.

Released layout: `point_questions.jsonl`, `bbox_questions.jsonl`, `images/`, `masks/NN.jpg` by row
number; or the parquet copy with `question` and `mask` columns. Rule (RoboPoint `summarize_vqa.py`,
commit adbee8d): the mean of mask/255 over the predicted points, then the mean over images; text
is scaled with 640x480; an exception while reading drops the question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from er_bench.core.answer import Answer, Boxes, Points, Value
from er_bench.core.dialect import AnyDialect, Benchmark, Dialect
from er_bench.core.geometry import Size, Unit
from er_bench.core.message import Message, user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.sample import Blob, Image, Sample, Text
from er_bench.data.rows import FileBlob, Row, find_files, inside, read_rows
from er_bench.reading.coordinates import tuples
from er_bench.reading.tuples import Drawn, robopoint
from er_bench.scorers.points import mean_value
from er_bench.tasks.base.mean_in_mask import TUPLE_DIALECTS, DrawnTask
from er_bench.tasks.base.pointing import MASKS, boxes_from_px, deepest, one_image
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


@dataclass(frozen=True, slots=True)
class Target:
    """The soft mask, the row's text and the question in it."""

    mask: Path | Blob
    mask_name: str
    text: str
    question: str


class Where2Place(DrawnTask):
    """Where2Place, 100 rows; protocol `official` or `box_pixels`."""

    readers = dict.fromkeys(TUPLE_DIALECTS, lambda text, size: robopoint(tuples(text), TEXT_SIZE))

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
        text = text.removeprefix("<image>").lstrip("\n")
        question, suffix, _ = text.partition(" Your answer")
        asked = text if suffix else f"{question} {SUFFIX}"
        return Sample(
            id=sample_id,
            parts=(Image(image), Text(question)),
            target=Target(mask, mask_name, asked, question),
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
            said = sample.target.text
        else:
            said = dialect.point_prompt(question, question)
        return Prompt((user(image, said),), Expect.POINTS)

    def _box_prompt(self, image: Image, question: str, dialect: AnyDialect) -> Prompt:
        if not isinstance(dialect, Benchmark):
            return Prompt((user(image, dialect.box_prompt(question, question)),), Expect.BOXES)
        system = Message("system", (Text(BOX_SYSTEM),))
        labelled = Image(WithAxes(image.blob))
        return Prompt((system, user(f"{BOX_PREFIX} {question}", labelled)), Expect.BOXES)

    def read_dialect(self, text: str, dialect: Dialect) -> tuple[Answer, Answer]:
        """Points, or boxes where the protocol asks for them."""
        if self.protocol == "box_pixels":
            return dialect.read_boxes(text), dialect.read_boxes_tolerant(text)
        return super().read_dialect(text, dialect)

    def mean(self, sample: Sample, drawn: Drawn) -> float:
        """The soft mean: mask values / 255."""
        values = MASKS.values(sample.target.mask)
        return mean_value(drawn.points_px_xy, drawn.boxes_px_xyxy, values) / 255

    def write(self, value: Value, sample: Sample, dialect: AnyDialect) -> str:
        """Points as usual; boxes as the tuple that the box prompt asks for."""
        if not isinstance(value, Boxes):
            return super().write(value, sample, dialect)
        if isinstance(dialect, Benchmark):
            return f"({', '.join(str(int(n)) for n in value.xyxy[0])})"
        boxes = boxes_from_px(value.xyxy, dialect.unit, self.size_wh(sample))
        return dialect.write_boxes(Boxes(tuple(boxes), dialect.unit))

    def mask_source(self, sample: Sample) -> Path | Blob:
        """The mask of the row's number."""
        source: Path | Blob = sample.target.mask
        return source

    def truth_identity(self, sample: Sample) -> object:
        """The mask's number."""
        return sample.target.mask_name

    def ideal(self, sample: Sample) -> Value:
        """The point deepest in the full-valued part of the mask, or a small box around it."""
        x, y = deepest(MASKS.values(sample.target.mask) == 255, sample)
        if self.protocol == "box_pixels":
            return Boxes(((x - 2.5, y - 2.5, x + 2.5, y + 2.5),), Unit.PIXEL)
        return Points(((x, y),), Unit.PIXEL)


TASK = Where2Place
