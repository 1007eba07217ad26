"""VLA-R1's released reward once more, written from its description, plainly and slowly.

Nothing of `er_bench.scorers` is used: the two are compared.
"""

import json
import math
import re
from itertools import pairwise


def reward(solution: str, truth: str) -> float:
    """0.9 of the task's part and 0.1 of the format's; 0 where the released code raises."""
    said, meant = _output(solution), _output(truth)
    shaped = said is not None and re.search(r"<think>.*?</think>", solution, re.I | re.S)
    try:
        task = _task(said, meant)
    except (ValueError, TypeError, OverflowError, IndexError, ZeroDivisionError):
        task = 0.0
    return 0.9 * task + 0.1 * bool(shaped)


def _output(text):
    block = re.search(r"<output>(.*?)</output>", text, re.I | re.S)
    try:
        return json.loads(block[1].strip()) if block else None
    except (ValueError, RecursionError):
        return None


def _task(said, meant):
    keys = {"x", "y", "width", "height"}
    if isinstance(said, dict) and isinstance(meant, dict) and keys <= said.keys() & meant.keys():
        return (_giou(_corners(said), _corners(meant)) + 1) / 2
    if _is_trace(said) and _is_trace(meant):
        p, q = _clipped(meant), _clipped(said)
        most = math.sqrt(2) + 0.25 * math.pi + 0.10 * math.log(10)
        return 1 - min(1.0, _frechet(p, q) / most)
    return 0.0


def _is_trace(found):
    return isinstance(found, list) and all(isinstance(p, list) and len(p) == 2 for p in found)


def _clip(n):
    return min(1.0, max(0.0, float(n)))


def _clipped(trace):
    return [(_clip(x), _clip(y)) for x, y in trace]


def _corners(box):
    x, y, w, h = (float(box[k]) for k in ("x", "y", "width", "height"))
    w, h = abs(w), abs(h)
    return _clip(x - w / 2), _clip(y - h / 2), _clip(x + w / 2), _clip(y + h / 2)


def _giou(a, b):
    def area(x1, y1, x2, y2):
        return max(0.0, x2 - x1) * max(0.0, y2 - y1)

    both = area(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    union = area(*a) + area(*b) - both
    hull = area(min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    overlap = both / union if union > 0 else 0.0
    hull = hull or 1e-12
    return max(-1.0, min(1.0, overlap - (hull - max(union, 1e-12)) / hull))


def _unit(x, y):
    size = math.hypot(x, y)
    return (0.0, 0.0) if size < 1e-12 else (x / size, y / size)


def _steps(trace):
    return [(x2 - x1, y2 - y1) for (x1, y1), (x2, y2) in pairwise(trace)]


def _directions(trace):
    units = [_unit(*step) for step in _steps(trace)]
    if not units:
        return [(0.0, 0.0)]
    middle = []
    for (ax, ay), (bx, by) in pairwise(units):
        size = math.hypot(ax + bx, ay + by)
        middle.append(((ax + bx) / size, (ay + by) / size) if size >= 1e-12 else (ax, ay))
    return [units[0], *middle, units[-1]]


def _lengths(trace):
    lengths = [math.hypot(*step) for step in _steps(trace)]
    return [*lengths, lengths[-1]] if lengths else [0.0]


def _frechet(p, q):
    cost = []
    for at_p, way_p, length_p in zip(p, _directions(p), _lengths(p), strict=True):
        row = []
        for at_q, way_q, length_q in zip(q, _directions(q), _lengths(q), strict=True):
            angle = 0.0
            if math.hypot(*way_p) >= 1e-12 and math.hypot(*way_q) >= 1e-12:
                dot = way_p[0] * way_q[0] + way_p[1] * way_q[1]
                dot /= math.hypot(*way_p) * math.hypot(*way_q)
                angle = math.acos(max(-1.0, min(1.0, dot)))
            plus = 0.0 if length_p > 1e-12 and length_q > 1e-12 else 1e-12
            ratio = abs(math.log((length_p + plus) / (length_q + plus)))
            row.append(math.dist(at_p, at_q) + 0.25 * angle + 0.10 * ratio)
        cost.append(row)
    reach = [[math.inf] * len(q) for _ in p]
    for i, row in enumerate(cost):
        for j, here in enumerate(row):
            ways = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
            before = [reach[a][b] for a, b in ways if a >= 0 and b >= 0]
            reach[i][j] = max(here, min(before)) if before else here
    return reach[-1][-1]
