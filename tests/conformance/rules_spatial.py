"""Rules of the spatial benchmarks: the authors', and those of harnesses that part from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from er_bench.core.answer import Points
from er_bench.core.geometry import in_mask, points_to_px
from er_bench.core.registry import Registry
from er_bench.core.score import Scored
from er_bench.reading.coordinates import exact_tuples
from er_bench.reading.neighbour_letters import read_boxed, read_last_in_brackets
from er_bench.reading.tuples import robopoint
from er_bench.scorers.points import in_polygon, mean_value
from er_bench.tasks.cv_bench import readers as cv_bench
from er_bench.tasks.robospatial_home import readers as robospatial

Case = Mapping[str, Any]


def _is_word(case: Case) -> bool:
    return isinstance(case["truth"], str)


def _mask(case: Case) -> np.ndarray:
    """`region`: width, height, and the box of the true pixels."""
    w, h, x1, y1, x2, y2 = case["region"]
    page = np.zeros((h, w), dtype=bool)
    page[y1:y2, x1:x2] = True
    return page


def robospatial_official(case: Case) -> float:
    if _is_word(case):
        return float(robospatial.read_prefix(case["response"]).value == case["truth"].lower())
    found = robospatial.read_first_pair(case["response"]).value
    corners = [tuple(corner) for corner in case["truth"]]
    return float(isinstance(found, Points) and in_polygon(found.xy[0], corners))


def robospatial_lmms_eval(case: Case) -> float:
    if _is_word(case):
        return float(robospatial.read_lmms_yes_no(case["response"]).value == case["truth"].lower())
    found = robospatial.read_lmms_points(case["response"]).value
    drawn = _mask(case)
    size = drawn.shape[::-1]
    points = points_to_px(found.xy, found.unit, size) if isinstance(found, Points) else []
    return float(any(in_mask(point, drawn) for point in points))


def robospatial_flageval(case: Case) -> float:
    said = robospatial.flageval_answer(case["response"])
    if _is_word(case):
        return float(robospatial.read_prefix(said).value == case["truth"].lower())
    drawn = _mask(case)
    found = robopoint(exact_tuples(said), drawn.shape[::-1])
    assert found is not None
    return mean_value(found.points_px_xy, found.boxes_px_xyxy, drawn)


def robospatial_physbrain(case: Case) -> float:
    names = ("hits", "points", "found")
    scored = [
        Scored("photo", "context", 0.0, dict(zip(names, map(float, counts), strict=True)))
        for counts in case["context"]
    ]
    scored += [Scored("photo", "configuration", float(right)) for right in case["yes_no"]]
    task = Registry().open_mini("robospatial_home")
    return task.readings["physbrain_f1"].aggregate(scored).score


def _letter(reader: Any) -> Any:
    return lambda case: float(reader(case["response"]).value == case["gold"])


def _cv_bench(reading: str, scores: Mapping[str, Sequence[float]]) -> float:
    scored = [
        Scored("photo", "Count", float(score), {source: 1.0})
        for source, values in scores.items()
        for score in values
    ]
    return Registry().open_mini("cv_bench").readings[reading].aggregate(scored).score


ROBOSPATIAL, CV = "robospatial_home", "cv_bench"
RULES = {
    "robospatial_official": (
        ROBOSPATIAL, "how the answer begins; first pair in the polygon", robospatial_official),
    "robospatial_lmms_eval": (
        ROBOSPATIAL, "reading lmms_eval: words in the last line; any fenced point in the mask",
        robospatial_lmms_eval),
    "robospatial_flageval": (
        ROBOSPATIAL, "reading flageval: the last line; mean in mask", robospatial_flageval),
    "robospatial_physbrain": (
        ROBOSPATIAL, "reading physbrain_f1: pooled F1 weighted with yes and no",
        robospatial_physbrain),
    "cv_bench_2d": (CV, "the character after \"answer is\"", _letter(cv_bench.read_cambrian)),
    "cv_bench_3d": (CV, "the same, of 3D", _letter(cv_bench.read_cambrian_3d)),
    "cv_bench_mimo": (CV, "reading mimo: a letter of any word", _letter(cv_bench.read_mimo)),
    "cv_bench_physbrain": (
        CV, "reading physbrain: the last letter in brackets", _letter(read_last_in_brackets)),
    "cv_bench_mean": (
        CV, "mean of 2D and 3D", lambda case: _cv_bench("official", case["scores"])),
    "cv_bench_item_mean": (
        CV, "reading lmms_eval: mean over questions",
        lambda case: _cv_bench("lmms_eval", case["scores"])),
    "embspatial_mimo": (
        "embspatial", "reading mimo: the whole of the last box", _letter(read_boxed)),
}  # fmt: skip
