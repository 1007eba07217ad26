"""Point-Bench: point at what a sentence says; the point must fall in the mask.

Released layout: `data.json`, `selected_images/`, `selected_masks/`, `pixmo_metadata.csv`.
Rule (PointArena `model_evaluator.py`, commit dcd82f2, lines 1202-1260): the first point counts,
in counting rows all of them and as many as `count`; the mask is what is over 127; success over
all rows. The leaderboard's average is the mean of the five categories, `macro` here.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from unicodedata import normalize

from er_bench.core.answer import Answer, Points, Value
from er_bench.core.dialect import AnyDialect, Benchmark
from er_bench.core.geometry import Mask, Point, Unit
from er_bench.core.message import Message, user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.sample import Blob, Image, Sample, Text
from er_bench.core.score import Score
from er_bench.core.task import Aggregate, Scored
from er_bench.data.archives import by_base_name, members
from er_bench.data.media import mask_over
from er_bench.data.rows import FileBlob, Row, find_files, inside, read_rows
from er_bench.scorers.points import first_or_all
from er_bench.tasks.base.pointing import MASKS, Read, ReadPointTask, deepest
from er_bench.tasks.pointarena import families

CATEGORIES = ("affordable", "spatial", "reasoning", "steerable", "counting")
MASK_THRESHOLD = 127
METADATA = "pixmo_metadata.csv"


@dataclass(frozen=True, slots=True)
class Target:
    """What judges a row. `count` is set in counting rows only."""

    mask: Blob
    mask_name: str
    count: int | None
    question: str
    original_percent_xy: tuple[Point, ...]


class PointArena(ReadPointTask):
    """Point-Bench, 982 rows in five categories."""

    def samples(self) -> Iterator[Sample]:
        """Every row of `data.json`."""
        (file,) = find_files(self.root, "data.json")
        for row in read_rows(file):
            yield self._sample(row)

    def _sample(self, row: Row) -> Sample:
        name, category = row.text("image_filename"), row.text("category")
        if category not in CATEGORIES:
            raise row.error(
                f"expected one of {', '.join(CATEGORIES)}, found {category!r}", "category"
            )
        count = row.integer("count") if category == "counting" else None
        if count is not None and count < 1:
            raise row.error(f"expected at least 1, found {count}", "count")
        question = row.text("user_input")
        image = self._file("selected_images", row, "image_filename")
        mask = self._file("selected_masks", row, "mask_filename")
        originals = self._originals.get(normalize("NFC", name), ())
        mask_name = normalize("NFC", row.text("mask_filename"))
        shown = originals if category == "steerable" else ()
        target = Target(mask, mask_name, count, question, shown)
        return Sample(
            id=normalize("NFC", name),
            parts=(Text(question), Image(image)),
            target=target,
            cluster=normalize("NFC", name),
            category=category,
            where=row.where,
        )

    def _file(self, folder: str, row: Row, field: str) -> Blob:
        """The file in its folder, its category's folder or the folder's zip, as it is named."""
        name = row.text(field)
        path = inside(self.root / folder, name, row, field)
        if path.is_file():
            return FileBlob(path)
        return self._named(folder).get(normalize("NFC", name), FileBlob(path))

    def _named(self, folder: str) -> Mapping[str, Blob]:
        if folder not in self._listed:
            packed, root = self.root / f"{folder}.zip", self.root / folder
            if packed.is_file() and not root.is_dir():
                self._listed[folder] = members(packed)
            else:
                files = sorted(str(p) for p in root.rglob("*") if p.is_file())
                self._listed[folder] = by_base_name({p: FileBlob(Path(p)) for p in files})
        return self._listed[folder]

    @cached_property
    def _listed(self) -> dict[str, Mapping[str, Blob]]:
        return {}

    @cached_property
    def _originals(self) -> Mapping[str, tuple[Point, ...]]:
        path = self.root / METADATA
        if not path.is_file():
            return {}
        return _original_points(path)

    def remarks(self) -> list[str]:
        """What a reader of the numbers must know about this folder of data."""
        if (self.root / METADATA).is_file():
            return []
        return [f"{METADATA} is absent: steerable rows are asked without their original point"]

    def prompt(self, sample: Sample, dialect: AnyDialect) -> Prompt:
        """The released prompt of the family, or the dialect's; the size is the mask's."""
        target: Target = sample.target
        size = self.size_wh(sample)
        original = families.original_point(target.original_percent_xy, size)
        counting = target.count is not None
        said = families.prompt(dialect.name, target.question, counting, size, original)
        if said is None:
            assert not isinstance(dialect, Benchmark)
            question = target.question + original
            said = dialect.point_prompt(question, question)
        image = sample.parts[1]
        if isinstance(dialect, Benchmark):
            system = Message("system", (Text(families.SYSTEM),))
            return Prompt((system, user(said, image)), Expect.POINTS)
        parts = (said, image) if dialect.name == "gemini" else (image, said)
        return Prompt((user(*parts),), Expect.POINTS)

    def released_readers(self, sample: Sample) -> Mapping[str, Read]:
        """PointArena's readers by family."""
        return families.readers(sample.target.count is not None)

    def own_tolerant(self, text: str) -> Answer:
        """Any pairs, as pixels."""
        return families.read_tolerant(text)

    def own_text(self, points_px_xy: list[Point], sample: Sample) -> str:
        """The JSON that the own prompt asks for."""
        return families.write_own(points_px_xy)

    def rate(self, sample: Sample, official: list[Point], robust: list[Point]) -> Score:
        """Success or failure."""
        target: Target = sample.target
        mask = MASKS.over(target.mask, MASK_THRESHOLD)
        return Score(
            first_or_all(official, mask, target.count), first_or_all(robust, mask, target.count)
        )

    def aggregate(self, scored: Sequence[Scored], reading: str = "official") -> Aggregate:
        """Micro success; categories and their plain mean, `macro`, beside it."""
        micro = super().aggregate(scored, reading)
        if not micro.by_category:
            return micro
        macro = fmean(micro.by_category.values())
        return Aggregate(micro.score, {**micro.by_category, "macro": macro})

    def mask_source(self, sample: Sample) -> Blob:
        """The mask's file."""
        blob: Blob = sample.target.mask
        return blob

    def truth_identity(self, sample: Sample) -> object:
        """Mask name and count."""
        return [sample.target.mask_name, sample.target.count]

    def ideal(self, sample: Sample) -> Value:
        """Points deep in the mask: one in each of the largest parts, as many as are asked for."""
        mask = mask_over(sample.target.mask, MASK_THRESHOLD)
        return Points(tuple(_deep_points(mask, sample.target.count or 1, sample)), Unit.PIXEL)


TASK = PointArena


def _original_points(path: Path) -> Mapping[str, tuple[Point, ...]]:
    """Points in percent by NFC image name. Raises DataError naming file, row and field."""
    found: dict[str, tuple[Point, ...]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for number, fields in enumerate(csv.DictReader(lines)):
            row = Row(fields, path, number)
            try:
                points = json.loads(row.text("points"))
                xy = tuple((float(p["x"]), float(p["y"])) for p in points)
            except (ValueError, TypeError, KeyError) as error:
                raise row.error(f"expected a JSON list of points: {error}", "points") from error
            found[normalize("NFC", row.text("image_filename"))] = xy
    return found


def _deep_points(mask_hw: Mask, count: int, sample: Sample) -> list[Point]:
    import numpy as np
    from scipy.ndimage import label

    parts, n = label(mask_hw)
    if n == 0:
        return [deepest(mask_hw, sample)]
    sizes = np.bincount(parts.ravel())[1:]
    order = [int(k) + 1 for k in np.argsort(-sizes, kind="stable")]
    return [deepest(parts == order[i % n], sample) for i in range(count)]
