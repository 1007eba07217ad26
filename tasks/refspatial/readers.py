"""The released readers of RefSpatial-Bench by family.

RoboRefer `Evaluation/summarize_acc.py`, commit d97a995, lines 113-120. Its Qwen reader is absent:
it looks for tuples where its own prompt asks for JSON, so that no answer to it can score.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from er_bench.core.geometry import Point, Size
from er_bench.reading.coordinates import exact_tuples
from er_bench.reading.tuples import Drawn, indexable, roborefer
from er_bench.tasks.base.tuple_points import TUPLE_DIALECTS, DrawnReader

MOLMO = ("molmo_single", "molmo_multi")
_XML = re.compile(r'x\d++="(-?\d++(?:\.\d*+)?+)"\s++y\d++="(-?\d++(?:\.\d*+)?+)"')


def _read_xml(text: str, size_wh: Size) -> Drawn | None:
    """Numbered attributes only, in percent (`xml2pts`)."""
    w, h = size_wh
    try:
        points = [(int(float(x) / 100 * w), int(float(y) / 100 * h)) for x, y in _XML.findall(text)]
    except OverflowError:
        return None
    return _drawn(points)


def _drawn(points: Sequence[Point]) -> Drawn | None:
    """Points alone; None where the released run breaks off."""
    drawn = Drawn(tuple(points))
    return drawn if indexable(drawn) else None


_FENCE = re.compile(r"```(?:\w++)?+\n(.*?)```", re.DOTALL)


def _read_fenced(text: str, size_wh: Size) -> Drawn | None:
    """`{"point": [y, x]}` per 1000 in the first fence (`json2pts`); no fence, no points.

    `strip` takes more blanks away than JSON allows, a no-break space among them.
    """
    fenced = _FENCE.search(text)
    try:
        items = json.loads(fenced[1].strip()) if fenced else []
    except json.JSONDecodeError:
        return Drawn()
    except (ValueError, RecursionError):
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
    return _drawn(points)


def _read_relative(text: str, size_wh: Size) -> Drawn | None:
    return roborefer(exact_tuples(text), size_wh, absolute=False)


def _read_absolute(text: str, size_wh: Size) -> Drawn | None:
    return roborefer(exact_tuples(text), size_wh, absolute=True)


READERS: dict[str, DrawnReader] = {
    **dict.fromkeys(TUPLE_DIALECTS, _read_relative),
    **dict.fromkeys(MOLMO, _read_xml),
    "robobrain2": _read_absolute,
    "gemini": _read_fenced,
}
