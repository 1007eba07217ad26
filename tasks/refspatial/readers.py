"""The released readers of RefSpatial-Bench by family.

RoboRefer `Evaluation/summarize_acc.py`, commit d97a995, lines 113-120. Its Qwen reader is absent:
it looks for tuples where its own prompt asks for JSON, so that no answer to it can score.
"""

from __future__ import annotations

import json
import re

from er_bench.core.geometry import Point, Size
from er_bench.reading.coordinates import number, tuples
from er_bench.reading.tuples import Drawn, roborefer
from er_bench.tasks.base.tuple_points import TUPLE_DIALECTS, DrawnReader

MOLMO = ("molmo_single", "molmo_multi")
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
