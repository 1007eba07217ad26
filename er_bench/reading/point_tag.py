"""Reader of points in `<point>[[x, y], ..]</point>`, as Embodied-R1's evaluation reads them."""

from __future__ import annotations

import json
import re

from er_bench.core.geometry import Point

_PAIR = re.compile(r"\[(\d++\.?\d*+),\s*+(\d++\.?\d*+)\]")
OPEN, CLOSE = "<point>[", "]</point>"


def tagged_points(text: str) -> list[Point] | None:
    """The pairs of the first tag of the first `<answer>`, or of the text where there is none.

    A tag stands on one line. None where an item of it is no pair of numbers: the released script
    stops at such an answer. Source: pickxiguapi/Embodied-R1 `eval/hf_inference_affordance.py` and
    `hf_inference_vabench_point.py`, commit 16c4534.
    """
    inner, answered, _ = text.partition("<answer>")[2].partition("</answer>")
    for line in (inner if answered else text).splitlines():
        content, closed, _ = line.partition(OPEN)[2].partition(CLOSE)
        if closed:
            return _pairs(content.replace("'", '"')) if content.strip() else []
    return []


def _pairs(content: str) -> list[Point] | None:
    try:
        items = json.loads(f"[{content}]")
    except (ValueError, RecursionError):
        return [(float(x), float(y)) for x, y in _PAIR.findall(f"[{content}]")]
    points = []
    for item in items:
        if not isinstance(item, list) or len(item) != 2:
            return None
        if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in item):
            return None
        if not all(abs(n) < 1e300 for n in item):
            return None
        points.append((float(item[0]), float(item[1])))
    return points
