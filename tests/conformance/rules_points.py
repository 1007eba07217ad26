"""Rules of the pointing benchmarks. The image is 640x480; its lower right quarter is the mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from er_bench.core.answer import Answer, Points
from er_bench.core.geometry import Unit
from er_bench.reading.coordinates import bracket_pairs, exact_tuples, percent_points, point_block
from er_bench.reading.tuples import Drawn, robopoint, roborefer, scaled_pairs
from er_bench.scorers.points import first_or_all, hits_in_radius, matched, mean_value
from er_bench.tasks.base.expression_points import read_pairs
from er_bench.tasks.base.polygons import polygon_mask
from er_bench.tasks.pointarena.families import FAMILIES
from er_bench.tasks.refspatial.readers import READERS

Case = Mapping[str, Any]
SIZE = (640, 480)
MASK = np.zeros((480, 640), dtype=bool)
MASK[240:, 320:] = True


def _mean(drawn: Drawn | None) -> float | None:
    return None if drawn is None else mean_value(drawn.points_px_xy, drawn.boxes_px_xyxy, MASK)


def where2place_tuples(case: Case) -> Any:
    return _mean(robopoint(exact_tuples(case["response"]), SIZE))


def lmms_eval_tuples(case: Case) -> Any:
    return _mean(scaled_pairs(case["response"], SIZE))


def refspatial_relative(case: Case) -> Any:
    return _mean(roborefer(exact_tuples(case["response"]), SIZE, absolute=False))


def refspatial_absolute(case: Case) -> Any:
    return _mean(roborefer(exact_tuples(case["response"]), SIZE, absolute=True))


def refspatial_xml(case: Case) -> Any:
    return _mean(READERS["molmo_multi"](case["response"], SIZE))


def refspatial_fence(case: Case) -> Any:
    return _mean(READERS["gemini"](case["response"], SIZE))


def _points(answer: Answer) -> list[tuple[float, float]]:
    return list(answer.value.xy) if isinstance(answer.value, Points) else []


def pointarena_success(case: Case) -> float:
    counts = case["count"] is not None
    answer = FAMILIES[case.get("family", "benchmark")].readers[counts](case["response"])
    points = [_pixels(p, answer) for p in _points(answer)]
    return first_or_all(points, MASK, case["count"])


def _pixels(point: tuple[float, float], answer: Answer) -> tuple[float, float]:
    assert isinstance(answer.value, Points)
    per_side = {Unit.PERCENT: 100.0, Unit.PER_1000: 1000.0}.get(answer.value.unit)
    return (point[0] / per_side * SIZE[0], point[1] / per_side * SIZE[1]) if per_side else point


def pointarena_percent(case: Case) -> int:
    return len(percent_points(case["response"]))


def vlaser_readme(case: Case) -> int:
    return len(point_block(case["response"]))


def vlaser_scripts(case: Case) -> int:
    return len(bracket_pairs(case["response"]))


def paco_lavis_hits(case: Case) -> int:
    return int(polygon_mask([[case["polygon"]]], (case["width"], case["height"])).sum())


def pixmo_points_hits(case: Case) -> list[int]:
    said = _points(read_pairs(case["response"]))
    found = hits_in_radius(said, [(x, y) for x, y in case["truth"]], 25.0)
    return [found.hits, found.total]


def molmo_matching(case: Case) -> dict[str, float]:
    ys, xs = np.mgrid[:480, :640]
    truth = [(x, y) for x, y in case["truth"]]
    discs = [(xs - x) ** 2 + (ys - y) ** 2 <= 400 for x, y in truth]
    made = matched([(x, y) for x, y in case["points"]], truth, discs)
    return {name: getattr(made, name) for name in case["official"]}


_TUPLES = "tuples as fractions or pixels, boxes filled, mean in mask"
RULES = {
    "where2place_tuples": ("where2place", _TUPLES, where2place_tuples),
    "lmms_eval_tuples": (
        "where2place, refspatial",
        "reading lmms_eval: every pair scaled, mean in mask",
        lmms_eval_tuples,
    ),
    "refspatial_relative": ("refspatial", f"{_TUPLES} (relative)", refspatial_relative),
    "refspatial_absolute": ("refspatial", "tuples as pixels, mean in mask", refspatial_absolute),
    "refspatial_xml": ("refspatial", "numbered XML attributes in percent", refspatial_xml),
    "refspatial_fence": ("refspatial", "fenced JSON, y first, per 1000", refspatial_fence),
    "pointarena_success": ("pointarena", "first point, or all and the count", pointarena_success),
    "pointarena_percent": ("pointarena", "Molmo's four forms in percent", pointarena_percent),
    "vlaser_readme": ("dialect internvl_1000", "points in the first tag", vlaser_readme),
    "vlaser_scripts": ("paco_lavis, pixmo_points", "pairs anywhere", vlaser_scripts),
    "paco_lavis_hits": ("paco_lavis", "union of polygons with outline", paco_lavis_hits),
    "pixmo_points_hits": ("pixmo_points", "radius 25 per 1000, pooled", pixmo_points_hits),
    "molmo_matching": ("pixmo_points", "one-to-one matching beside the rule", molmo_matching),
}
