"""RefSpatial-Bench: point at the object, or the free place, that a spatial sentence describes.

Raw layout: `Location/`, `Placement/`, `Unseen/` with `question.json`, `image/`, `mask/`; or the
hub's parquet with splits location, placement, unseen. Rule (RoboRefer `Evaluation/`, commit
d97a995): the share of the points with mask > 0 (first channel); mean over the items of a split;
an item whose answer makes the reader raise leaves the mean. Asked and read by family.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from er_bench.core.answer import Points, Value
from er_bench.core.dialect import AnyDialect, Benchmark
from er_bench.core.errors import DataError
from er_bench.core.geometry import Point, Size, Unit, from_px
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.sample import Blob, Image, Sample, Text
from er_bench.core.task import Aggregate, Scored, mean, value
from er_bench.data.rows import FileBlob, Row, find_files, inside, read_rows
from er_bench.reading.coordinates import number, tuples
from er_bench.reading.tuples import Drawn, roborefer
from er_bench.scorers.points import mean_value
from er_bench.tasks.base.mean_in_mask import TUPLE_DIALECTS, DrawnReader, DrawnTask
from er_bench.tasks.base.pointing import MASKS, deepest, one_image

SPLITS = ("Location", "Placement", "Unseen")
SUFFIX = (
    "Your answer should be formatted as a list of tuples, i.e. [(x1, y1)], where each tuple "
    "contains the x and y coordinates of a point satisfying the conditions above. The coordinates "
    "should be between 0 and 1, indicating the normalized pixel locations of the points in the "
    "image."
)
MOLMO = ("molmo_single", "molmo_multi")


@dataclass(frozen=True, slots=True)
class Target:
    """The mask and the words of the row."""

    mask: Path | Blob
    prompt: str
    suffix: str
    object: str


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


READERS: dict[str, DrawnReader] = {
    **dict.fromkeys(TUPLE_DIALECTS, _read_relative),
    **dict.fromkeys(MOLMO, _read_xml),
    "robobrain2": _read_absolute,
    "gemini": _read_fenced,
}
"""`summarize_acc.py`, lines 113-120. Its Qwen reader is absent: it looks for tuples where its own
prompt asks for JSON, so that no answer to it can score."""


class RefSpatial(DrawnTask):
    """RefSpatial-Bench: location 100, placement 100, unseen 77."""

    readers = READERS

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
        sample_id = f"{split}/{row.get('id')}"
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

    def mean(self, sample: Sample, drawn: Drawn) -> float:
        """The share in the mask."""
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

    def write(self, val: Value, sample: Sample, dialect: AnyDialect) -> str:
        """As the family writes; Molmo with numbered attributes, the only ones read here."""
        if dialect.name not in MOLMO or not isinstance(val, Points):
            return super().write(val, sample, dialect)
        shown = [from_px(p, Unit.PERCENT, self.size_wh(sample)) for p in val.xy]
        places = " ".join(f'x{i}="{x:.1f}" y{i}="{y:.1f}"' for i, (x, y) in enumerate(shown, 1))
        return f'<points {places} alt="object">object</points>'

    def mask_source(self, sample: Sample) -> Path | Blob:
        """The row's mask."""
        source: Path | Blob = sample.target.mask
        return source

    def truth_identity(self, sample: Sample) -> object:
        """The words that are asked with besides the prompt."""
        return [sample.target.object, sample.target.suffix]

    def ideal(self, sample: Sample) -> Value:
        """The point deepest in the mask."""
        return Points((deepest(MASKS.values(sample.target.mask) > 0, sample),), Unit.PIXEL)


def _split(file: Path) -> str:
    for split in SPLITS:
        if file.name.lower().startswith(split.lower()):
            return split
    raise DataError(f"the file's name begins with none of {', '.join(SPLITS)}", file=file)


def _split_rank(file: Path) -> tuple[int, str]:
    return SPLITS.index(_split(file)), file.name


TASK = RefSpatial
