"""PACO-LVIS pointing: every point must lie in the union of the expression's instances.

Vlaser's file was never released; its format is read: JSON lines with `image`, `width`, `height`,
`segmentation` (instances, each a list of flat polygons in pixels) and `conversations`. Rule
(Vlaser `eval/evaluate_point_paco.py`, commit 40d7821): hits over points, pooled over the set; an
answer without points is one miss; 100 new tokens, 6 tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from er_bench.core.geometry import Mask
from er_bench.core.record import Shown, Truth
from er_bench.core.sample import Sample
from er_bench.core.score import Score
from er_bench.core.task import OFFICIAL, ROBUST, Reading
from er_bench.data.rows import Row
from er_bench.scorers.points import hits_in_mask
from er_bench.tasks.base.expression_points import (
    ITEM_MEAN,
    QUESTION,
    Expression,
    ExpressionTask,
    item_mean,
    micro_precision,
    pooled,
)
from er_bench.tasks.base.located import Located, by, place_reading
from er_bench.tasks.base.polygons import Segmentation, outlines, polygon_mask, read_segmentation


@dataclass(frozen=True, slots=True)
class Target(Expression):
    """The instances, and a key for the mask that is drawn from them."""

    segmentation: Segmentation
    key: str


class PacoLavis(ExpressionTask[Target]):
    """Points in the union mask of all instances."""

    patterns = ("paco_lvis*.jsonl", "paco_lavis*.jsonl", "*.jsonl")

    @cached_property
    def readings(self) -> Mapping[str, Reading[Target]]:
        """The script's pairs, and any pairs."""
        rule = "points in the union of the instances, pooled"
        official = place_reading(
            by(self.convention.read),
            self.size_wh,
            self._rate,
            reader="every [x, y], or the dialect's strict reader",
            rule=rule,
            source="OpenGVLab/Vlaser eval/evaluate_point_paco.py, commit 40d7821",
            aggregate=micro_precision,
        )
        return {
            OFFICIAL: official,
            ITEM_MEAN: item_mean(official),
            ROBUST: place_reading(
                by(self.convention.read_tolerant),
                self.size_wh,
                self._rate,
                reader="points in any form after the thoughts",
                rule=rule,
                source="er-bench",
                aggregate=micro_precision,
            ),
        }

    def _rate(self, sample: Sample[Target], found: Located) -> Score:
        hits = hits_in_mask(list(found.points_px_xy), self.mask(sample))
        return Score(hits.share, pooled(hits), f"{hits.hits} of {hits.total} in the mask")

    def mask(self, sample: Sample[Target]) -> Mask:
        """The union of the instances, `(H, W)` bool."""
        target = sample.target
        return self.masks.made(
            target.key, lambda: polygon_mask(target.segmentation, target.size_wh)
        )

    def target(self, row: Row, asked: Expression) -> Target:
        """The row's polygons, checked."""
        return Target(
            asked.expression,
            asked.image,
            asked.size_wh,
            read_segmentation(row),
            f"{row.file}#{row.index}",
        )

    def shown(self, sample: Sample[Target]) -> Shown:
        """The request and the instances' outlines."""
        truth = Truth(polygons_px=outlines(sample.target.segmentation))
        return Shown(QUESTION.format(sample.target.expression).strip(), truth=truth)

    def truth_identity(self, sample: Sample[Target]) -> object:
        """The polygons."""
        return sample.target.segmentation


TASK = PacoLavis
