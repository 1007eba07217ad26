"""How other harnesses score points that should lie in one region, from the same answers.

The region is a hard mask. All read the answer as `robust` does, so that only the rules differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from er_bench.core.geometry import Mask, Size, in_mask
from er_bench.core.sample import Sample, T
from er_bench.core.score import Aggregate, Score, Scored, mean_of_samples
from er_bench.core.task import Reading
from er_bench.tasks.base.located import Locate, Located, place_reading

MaskOf = Callable[[Sample[T]], Mask]
READER = "places in any form after the thoughts"


def region_readings(
    locate: Locate, size_wh: Callable[[Sample[T]], Size], mask: MaskOf[T]
) -> dict[str, Reading[T]]:
    """`first_point`, `any_hit`, `mask_share` and `physbrain_f1`."""

    def hits(sample: Sample[T], found: Located) -> list[bool]:
        drawn = mask(sample)
        return [in_mask(point, drawn) for point in found.points_px_xy]

    def first(sample: Sample[T], found: Located) -> Score:
        hit = bool(hits(sample, found)[:1] == [True])
        return Score(float(hit), why="the first point" if hit else "not the first point")

    def any_hit(sample: Sample[T], found: Located) -> Score:
        hit = any(hits(sample, found))
        return Score(float(hit), why="a point is in the mask" if hit else "no point is in the mask")

    def share(sample: Sample[T], found: Located) -> Score:
        inside = hits(sample, found)
        n = len(inside)
        return Score(sum(inside) / n if n else 0.0, why=f"{sum(inside)} of {n} in the mask")

    def matched(sample: Sample[T], found: Located) -> Score:
        inside = hits(sample, found)
        parts = {"hits": float(sum(inside)), "points": float(len(inside)),
                 "found": float(any(inside))}  # fmt: skip
        return Score(_f1([parts]), parts, f"{sum(inside)} of {len(inside)} in the mask")

    return {
        "first_point": place_reading(
            locate, size_wh, first, reader=READER, rule="1 if the first point is in the mask",
            source="chanhee-luke/RoboSpatial-Eval evaluation.py, commit 19f04a5",
        ),
        "any_hit": place_reading(
            locate, size_wh, any_hit, reader=READER, rule="1 if any point is in the mask",
            source="open-compass/VLMEvalKit refspatial.py:338-489, commit e8e78f05",
        ),
        "mask_share": place_reading(
            locate, size_wh, share, reader=READER, rule="share of the points in the mask",
            source="MiMo-Embodied's rule for points, as other papers tell it",
        ),
        "physbrain_f1": place_reading(
            locate, size_wh, matched, reader=READER,
            rule="F1 of hits over points and regions found over regions, pooled",
            source="DeepCybo-PhysAI/PhysBrainEvalKit physbrain_point_metrics_final_20260817, "
            "commit 11f8260", aggregate=micro_f1,
        ),
    }  # fmt: skip


def micro_f1(scored: Sequence[Scored]) -> Aggregate:
    """The pooled F1; categories are those of the samples' own."""
    made = mean_of_samples(scored)
    return Aggregate(_f1([s.parts for s in scored]) if scored else float("nan"), made.categories)


def _f1(parts: Sequence[Mapping[str, float]]) -> float:
    """Of hits over points, and regions found over regions: one region a sample."""
    n_points, n_hits = sum(p["points"] for p in parts), sum(p["hits"] for p in parts)
    precision = n_hits / n_points if n_points else 0.0
    recall = sum(p["found"] for p in parts) / len(parts) if parts else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
