"""PixMo-Points: every point must be near a true point.

Vlaser's file was never released; its format is read: JSON lines with `image`, `width`, `height`
and `conversations`, whose gpt turns hold `<ref>expression</ref>` and `[x, y]` whole numbers per
1000. Rule (Vlaser `eval/evaluate_point_pixmo.py`, commit 40d7821): a point hits if it is within
25 of any true point on the 0..1000 grid; hits over points, pooled; an answer without points is
one miss; 100 new tokens, 6 tiles. Molmo's precision, recall and F1 stand beside it.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from statistics import fmean

from er_bench.core.answer import Answer, Points, Value
from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect
from er_bench.core.errors import DataError
from er_bench.core.geometry import Point, Unit, from_px, points_to_px
from er_bench.core.sample import Sample
from er_bench.core.score import Score
from er_bench.core.task import Aggregate, Judgement, Scored
from er_bench.data.rows import Row
from er_bench.scorers.points import Hits, Matched, hits_in_radius, matched
from er_bench.tasks.base.expression_points import REF, ReferringTask, pooled, turns
from er_bench.tasks.base.pointing import MASKS
from er_bench.tasks.paco_lavis.task import polygon_mask, read_segmentation

RADIUS_PER_1000 = 25.0
_PAIR = re.compile(r"\[\s*+(\d{1,9})\s*+,\s*+(\d{1,9})\s*+\]")
MOLMO = ("molmo_precision", "molmo_recall", "molmo_f1")


@dataclass(frozen=True, slots=True)
class Target:
    """True points per 1000; polygons of each point's instance where a built row has them."""

    points_per_1000_xy: tuple[Point, ...]
    segmentation: Sequence[Sequence[Sequence[float]]] | None


class PixmoPoints(ReferringTask):
    """Points within 25 per 1000 of the truth."""

    patterns = ("pixmo*.jsonl", "data_*.jsonl", "*.jsonl")

    @cached_property
    def _truth(self) -> Mapping[tuple[str, str], tuple[Point, ...]]:
        """True points by image and expression, over the whole file: the last line wins."""
        truth: dict[tuple[str, str], tuple[Point, ...]] = {}
        for row in self.rows():
            for said in turns(row, "gpt"):
                found, pairs = REF.search(said), _PAIR.findall(said)
                if found and pairs:
                    xy = tuple((float(x), float(y)) for x, y in pairs)
                    truth[row.text("image"), found[1]] = xy
        return truth

    def target(self, row: Row, image: str, expression: str) -> Target:
        """The points that the file gives for this image and expression; none if it gives none."""
        segmentation = read_segmentation(row) if "segmentation" in row.fields else None
        return Target(self._truth.get((image, expression), ()), segmentation)

    def judge(self, sample: Sample, completion: Completion, dialect: AnyDialect) -> Judgement:
        """Hits on the grid; None where the released script skips the row."""
        official, robust = self.read(sample, completion.text, dialect)
        grids = [self._grid(a, sample, completion) for a in (official, robust)]
        one, other = (self.hits(sample, grid) for grid in grids)
        parts = pooled(one, other)
        for prefix, grid in zip(("", "robust_"), grids, strict=True):
            made = self._matched(sample, grid)
            values = (made.precision, made.recall, made.f1)
            parts |= {prefix + name: v for name, v in zip(MOLMO, values, strict=True)}
        return Judgement(
            official, robust, Score(None if skipped(sample) else one.share, other.share, parts)
        )

    def _grid(self, answer: Answer, sample: Sample, completion: Completion) -> list[Point]:
        """An answer's points per 1000; numbers that are so already stay untouched."""
        if isinstance(answer.value, Points) and answer.value.unit is Unit.PER_1000:
            return list(answer.value.xy)
        size = self.size_wh(sample)
        points = self.points_px(answer, sample, completion)
        return [from_px(p, Unit.PER_1000, size) for p in points]

    def hits(self, sample: Sample, points_xy: list[Point]) -> Hits:
        """Points near any true point, per 1000."""
        return hits_in_radius(points_xy, sample.target.points_per_1000_xy, RADIUS_PER_1000)

    def _matched(self, sample: Sample, grid: list[Point]) -> Matched:
        """Molmo's matching in pixels; without instance masks a match counts within the radius."""
        target: Target = sample.target
        size = self.size_wh(sample)
        truth = target.points_per_1000_xy
        if target.segmentation is not None and len(target.segmentation) == len(truth):
            masks = [
                MASKS.get((self.root, sample.id, k), partial(polygon_mask, [instance], size))
                for k, instance in enumerate(target.segmentation)
            ]
            said, meant = (points_to_px(xy, Unit.PER_1000, size) for xy in (grid, truth))
            return matched(said, meant, masks)
        return matched(grid, truth, RADIUS_PER_1000)

    def aggregate(self, scored: Sequence[Scored], reading: str = "official") -> Aggregate:
        """The pooled precision, and Molmo's means over samples."""
        made = super().aggregate(scored, reading)
        prefix = "" if reading == "official" else "robust_"
        means = {m: fmean(s.score.parts[prefix + m] for s in scored) for m in MOLMO if scored}
        return Aggregate(made.score, {**made.by_category, **means})

    def check(self, sample: Sample) -> None:
        """The row must have a truth, and the image the row's size."""
        super().check(sample)
        if not sample.target.points_per_1000_xy:
            raise DataError(
                f"no gpt turn of the file has points for {sample.meta['expression']!r}",
                file=self.root,
                row=sample.where,
                field="conversations",
            )

    def truth_identity(self, sample: Sample) -> object:
        """The points."""
        return sample.target.points_per_1000_xy

    def ideal(self, sample: Sample) -> Value:
        """The true points, in pixels."""
        truth = sample.target.points_per_1000_xy
        return Points(tuple(points_to_px(truth, Unit.PER_1000, self.size_wh(sample))), Unit.PIXEL)


TASK = PixmoPoints


def skipped(sample: Sample) -> bool:
    """Whether the released script looks this row's truth up in vain.

    It looks under the image's base name (line 98), while the truth is kept under the name as
    written (lines 37-46): a name with a folder is skipped.
    """
    name: str = sample.meta["image"]
    return os.path.basename(name) != name or not sample.target.points_per_1000_xy
