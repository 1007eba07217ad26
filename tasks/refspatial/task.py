"""RefSpatial-Bench: point at the object, or the free place, that a spatial sentence describes.

Raw layout: `Location/`, `Placement/`, `Unseen/` with `question.json`, `image/`, `mask/`; or the
hub's parquet with splits location, placement, unseen. Rule (RoboRefer `Evaluation/`, commit
d97a995): the share of the points with mask > 0 (first channel); mean over the items of a split;
an item whose answer makes the reader raise leaves the mean. Asked and read by family.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from er_bench.answer import Answer, Points, Value
from er_bench.carriers import number, tuples
from er_bench.data import FileBlob, Row, find_files, inside, read_rows
from er_bench.dialect import AnyDialect, Benchmark
from er_bench.errors import DataError
from er_bench.geometry import Point, Size, Unit, from_px, inner_point
from er_bench.pointing import MASKS, PointTask, Read, check_same_size, mask_size, one_image
from er_bench.prompt import Completion, Expect, Prompt, user
from er_bench.sample import Blob, Image, Sample, Text
from er_bench.score import Score
from er_bench.scorers.points import mean_value
from er_bench.scorers.tuples import Drawn, roborefer, tolerant
from er_bench.task import Aggregate, Judgement, Scored, mean, value

SPLITS = ("Location", "Placement", "Unseen")
SUFFIX = (
    "Your answer should be formatted as a list of tuples, i.e. [(x1, y1)], where each tuple "
    "contains the x and y coordinates of a point satisfying the conditions above. The coordinates "
    "should be between 0 and 1, indicating the normalized pixel locations of the points in the "
    "image."
)
TUPLE_DIALECTS = ("benchmark", "roborefer", "robopoint", "fraction_tuples")
MOLMO = ("molmo_single", "molmo_multi")


@dataclass(frozen=True, slots=True)
class Target:
    """The mask and the words of the row."""

    mask: Path | Blob
    prompt: str
    suffix: str
    object: str


class RefSpatial(PointTask):
    """RefSpatial-Bench: location 100, placement 100, unseen 77."""

    def samples(self) -> Iterator[Sample]:
        """Location, Placement, Unseen; a split that is absent is missed by the row count."""
        raw = [s for s in SPLITS if (self.root / s / "question.json").is_file()]
        if raw:
            for split in raw:
                for row in read_rows(self.root / split / "question.json"):
                    yield self._raw(row, split)
            return
        for file in sorted(find_files(self.root, "*.parquet"), key=_split_rank):
            for row in read_rows(file):
                yield self._packed(row, _split(file))

    def _raw(self, row: Row, split: str) -> Sample:
        folders = self.root / split, self.root
        image, mask = (
            next((p for p in paths if p.is_file()), paths[0])
            for f in ("rgb_path", "mask_path")
            if (paths := [inside(folder, row.text(f), row, f) for folder in folders])
        )
        return self._sample(row, split, Image(FileBlob(image)), mask)

    def _packed(self, row: Row, split: str) -> Sample:
        sample_id = f"{split}/{row.get('id')}"
        image = one_image(row, "image", sample_id, self.root)
        mask = one_image(row, "mask", f"{sample_id} mask", self.root)
        return self._sample(row, split, Image(image), mask)

    def _sample(self, row: Row, split: str, image: Image, mask: Path | Blob) -> Sample:
        suffix = row.text("suffix") if row.fields.get("suffix") else SUFFIX
        target = Target(mask, row.text("prompt"), suffix, row.text("object"))
        sample_id = f"{split}/{row.integer('id')}"
        return Sample(
            id=sample_id,
            parts=(image, Text(target.prompt)),
            target=target,
            cluster=sample_id,
            category=split,
            where=f"{split}/{row.where}" if row.file.name == "question.json" else row.where,
            meta={"step": row.fields.get("step")},
        )

    def prompt(self, sample: Sample, dialect: AnyDialect) -> Prompt:
        """The released words for the family (`test_benchmark.py`, lines 6-16)."""
        target: Target = sample.target
        if dialect.name in TUPLE_DIALECTS or isinstance(dialect, Benchmark):
            said = f"{target.prompt} {target.suffix}"
        elif dialect.name in MOLMO:
            said = f"Locate several points of {target.object}."
        elif dialect.name == "robobrain2":
            said = f"{target.prompt} Please provide its 2D coordinates."
        elif dialect.name == "gemini":
            said = f"Locate one point of {target.object}."
        else:
            said = dialect.point_prompt(target.prompt, target.object)
        return Prompt((user(sample.parts[0], said),), Expect.POINTS)

    def judge(self, sample: Sample, completion: Completion, dialect: AnyDialect) -> Judgement:
        """Share of points in the mask; None where the released reader raises."""
        size = self.size_wh(sample)
        reader = _READERS.get(dialect.name)
        if reader is None:
            answers = self.read(sample, completion.text, dialect)
            official: Drawn | None = self._drawn(answers[0], sample, completion)
        else:
            official = reader(completion.text, size)
            answers = _answer(official), self._tolerant(completion, size, dialect)
        robust = self._drawn(answers[1], sample, completion)
        if dialect.name in TUPLE_DIALECTS:
            robust = tolerant(completion.text, size)
        scored = None if official is None else self._mean(sample, official)
        parts = {"dropped": 1.0} if scored is None else {}
        return Judgement(*answers, Score(scored, self._mean(sample, robust), parts))

    def _tolerant(self, completion: Completion, size: Size, dialect: AnyDialect) -> Answer:
        if dialect.name in TUPLE_DIALECTS or isinstance(dialect, Benchmark):
            return tolerant(completion.text, size).answer()
        return dialect.read_points_tolerant(completion.text)

    def _drawn(self, answer: Answer, sample: Sample, completion: Completion) -> Drawn:
        return Drawn(tuple(self.points_px(answer, sample, completion)))

    def _mean(self, sample: Sample, drawn: Drawn) -> float:
        inside_mask = MASKS.values(sample.target.mask) > 0
        return mean_value(drawn.points_px_xy, drawn.boxes_px_xyxy, inside_mask)

    def aggregate(self, scored: Sequence[Scored], reading: str = "official") -> Aggregate:
        """Means by split, and three conventions of "All"; the headline is (Loc+Pla)/2.

        `all_location_placement`: RoboBrain 2.0 Table 2. `all_weighted`: lmms-eval's group, split
        means weighted by split sizes. `all_pooled`: one mean over all items.
        """
        by_split: dict[str, list[Scored]] = {s: [] for s in SPLITS}
        for one in scored:
            by_split[one.category].append(one)
        values = {
            split: [v for s in items if (v := value(s.score, reading)) is not None]
            for split, items in by_split.items()
            if items
        }
        means = {split: mean(kept) for split, kept in values.items()}
        sizes = {split: len(by_split[split]) for split in means}
        weighted = sum(means[s] * sizes[s] for s in means) / sum(sizes.values()) if means else None
        named = {
            "all_location_placement": mean([means[s] for s in SPLITS[:2] if s in means]),
            "all_weighted": float("nan") if weighted is None else weighted,
            "all_pooled": mean([v for kept in values.values() for v in kept]),
        }
        return Aggregate(named["all_location_placement"], {**means, **named})

    def released_readers(self, sample: Sample) -> Mapping[str, Read]:
        """None beyond `judge`, which needs the image's size."""
        return {}

    def own_tolerant(self, text: str) -> Answer:
        """Unused: `judge` reads tuples with the image's size."""
        return Answer.unparsed()

    def own_text(self, points_px_xy: list[Point], sample: Sample) -> str:
        """Fractions as tuples."""
        shown = [from_px(p, Unit.FRACTION, self.size_wh(sample)) for p in points_px_xy]
        return "[" + ", ".join(f"({x:.4f}, {y:.4f})" for x, y in shown) + "]"

    def rate(self, sample: Sample, official: list[Point], robust: list[Point]) -> Score:
        """The share of two lists of points."""
        one, other = (self._mean(sample, Drawn(tuple(p))) for p in (official, robust))
        return Score(one, other)

    def write(self, val: Value, sample: Sample, dialect: AnyDialect) -> str:
        """As the family writes; Molmo with numbered attributes, the only ones read here."""
        if dialect.name not in MOLMO or not isinstance(val, Points):
            return super().write(val, sample, dialect)
        shown = [from_px(p, Unit.PERCENT, self.size_wh(sample)) for p in val.xy]
        places = " ".join(f'x{i}="{x:.1f}" y{i}="{y:.1f}"' for i, (x, y) in enumerate(shown, 1))
        return f'<points {places} alt="object">object</points>'

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
        """The words that are asked with besides the prompt."""
        return [sample.target.object, sample.target.suffix]

    def size_wh(self, sample: Sample) -> Size:
        """The mask's size."""
        return mask_size(sample.target.mask)

    def ideal(self, sample: Sample) -> Value:
        """The point deepest in the mask."""
        return Points((inner_point(MASKS.values(sample.target.mask) > 0),), Unit.PIXEL)


TASK = RefSpatial


def _split(file: Path) -> str:
    for split in SPLITS:
        if file.name.lower().startswith(split.lower()):
            return split
    raise DataError(f"the file's name begins with none of {', '.join(SPLITS)}", file=file)


def _split_rank(file: Path) -> tuple[int, str]:
    return SPLITS.index(_split(file)), file.name


def _answer(drawn: Drawn | None) -> Answer:
    return Answer.unparsed("the released reader raises") if drawn is None else drawn.answer()


_XML = re.compile(r'x\d++="(-?\d++(?:\.\d*+)?+)"\s++y\d++="(-?\d++(?:\.\d*+)?+)"')


def _read_xml(text: str, size_wh: Size) -> Drawn | None:
    """Numbered attributes only, in percent (`xml2pts`)."""
    pairs = [(number(x), number(y)) for x, y in _XML.findall(text)]
    if any(n != n for pair in pairs for n in pair):
        return None
    w, h = size_wh
    return Drawn(tuple((int(x / 100 * w), int(y / 100 * h)) for x, y in pairs))


_FENCE = re.compile(r"```(?:\w++)?+\n(.*?)```", re.DOTALL)


def _read_fenced(text: str, size_wh: Size) -> Drawn | None:
    """`{"point": [y, x]}` per 1000 in the first fence (`json2pts`); no fence, no points."""
    fenced = _FENCE.search(text)
    try:
        items = json.loads(fenced[1]) if fenced else []
    except ValueError:
        return Drawn()
    except RecursionError:
        return None
    w, h = size_wh
    points: list[Point] = []
    try:
        for item in items:
            if "point" in item and isinstance(item["point"], list) and len(item["point"]) == 2:
                y, x = item["point"]
                points.append((int(x / 1000 * w), int(y / 1000 * h)))
    except (TypeError, ValueError, OverflowError):
        return None
    return Drawn(tuple(points))


def _read_relative(text: str, size_wh: Size) -> Drawn | None:
    return roborefer(tuples(text), size_wh, absolute=False)


def _read_absolute(text: str, size_wh: Size) -> Drawn | None:
    return roborefer(tuples(text), size_wh, absolute=True)


_READERS: dict[str, Callable[[str, Size], Drawn | None]] = {
    **dict.fromkeys(TUPLE_DIALECTS, _read_relative),
    **dict.fromkeys(MOLMO, _read_xml),
    "robobrain2": _read_absolute,
    "gemini": _read_fenced,
}
"""`summarize_acc.py`, lines 113-120. Its Qwen reader is absent: it looks for tuples where its own
prompt asks for JSON, so that no answer to it can score."""
