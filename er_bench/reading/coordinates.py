"""What coordinates are carried in: tags, tuples, JSON, XML attributes, location tokens.

Every reader takes any text and returns the number tuples it finds, in written order; none raises,
and none takes more than linear time (the released patterns are rewritten with possessive
quantifiers, which accept the same strings). Whole numbers come back as `int`, others as `float`:
two released readers tell pixels from fractions by the decimal point.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from er_bench.reading.final_answer import CJK, corrected, correction, half_width
from er_bench.reading.thoughts import after_thinking

Numbers = tuple[float, ...]
"""Two numbers of a point or four of a box, as written."""

_UNSIGNED = r"\d++(?:\.\d*+)?+"
_SIGNED = rf"[-+]?{_UNSIGNED}"
_LOOSE = r"[-+]?(?:\d++(?:\.\d*+)?+|\.\d++)"
_NAMED = r"[-+]?(?:\d++(?:\.\d++)?+|\.\d++)"
"""A number beside the name of its axis, where a full stop may follow that ends the sentence."""
_LONGEST_INTEGER = 300
_HUGE = 1e300


def number(text: str) -> float:
    """A number token as `int` if it has no decimal point, else `float`; NaN for a runaway one."""
    token = text.strip()
    if "." not in token:
        return int(token) if len(token) <= _LONGEST_INTEGER else math.nan
    return value if math.isfinite(value := float(token)) else math.nan


def exact_number(text: str) -> float:
    """A number token as the released readers take it: `int` of any size, `float` even if infinite.

    Raises ValueError for more digits than `int` converts.
    """
    return float(text) if "." in text else int(text)


def _numbers(groups: Iterable[Sequence[str]]) -> list[Numbers]:
    return [tuple(number(token) for token in group) for group in groups]


POINT_BLOCK_REQUEST = (
    "You are InternVL. Your task is to locate several points in the given image according to the "
    'task descriptions. Your answer should be formatted as "<point>[[x1, y1], [x2, y2],...]'
    '</point>". The point coordinates are normalized to integers between 0 and 1000. Return the '
    "answer in the point format directly."
)
"""What asks for a point block: Vlaser `Vlaser_VLM/README.md` and its point scripts, 40d7821."""

_BLOCK_OPEN = re.compile(r"<point>\s*+\[\s*+(?=\[)")
_BLOCK_CLOSE = re.compile(r"\](?=\s*+\]</point>)")
_INTEGER_PAIR = re.compile(r"\[\s*+(\d++)\s*+,\s*+(\d++)\s*+\]")


def point_block(text: str) -> list[Numbers]:
    """Whole-number pairs in the first `<point>[[..]]</point>`.

    Source: Vlaser `Vlaser_VLM/README.md` `text2pts`, commit 40d7821: `<point>`, `[`, pairs, `]`,
    and `</point>` right after it, the pairs on one line.
    """
    closes = [match.start() for match in _BLOCK_CLOSE.finditer(text)]
    breaks = [match.start() for match in re.finditer("\n", text)] + [len(text)]
    for opened in _BLOCK_OPEN.finditer(text):
        start = opened.end()
        close = bisect_right(closes, start)
        if close == len(closes):
            break
        if closes[close] < breaks[bisect_right(breaks, start)]:
            return _numbers(_INTEGER_PAIR.findall(text[start : closes[close] + 1]))
    return []


_PAIR = re.compile(rf"\[\s*+({_UNSIGNED})\s*+,\s*+({_UNSIGNED})\s*+\]")


def bracket_pairs(text: str) -> list[Numbers]:
    """Every `[x, y]` of unsigned numbers, tags or no tags, as floats.

    Source: Vlaser `eval/evaluate_point_paco.py` and `evaluate_point_pixmo.py`, commit 40d7821.
    """
    return _numbers(_PAIR.findall(text))


_TUPLE = re.compile(rf"\(({_SIGNED}(?:,\s*+{_SIGNED})*+)\)")


def tuples(text: str) -> list[Numbers]:
    """Every `(a, b, ..)` of any length; no space after `(` or before `)`, no leading dot.

    Source: RoboPoint `summarize_vqa.py`, commit adbee8d, line 10; the same in RoboRefer
    `Evaluation/summarize_acc.py`, commit d97a995.
    """
    return _numbers(match.split(",") for match in _TUPLE.findall(text))


def exact_tuples(text: str) -> list[Numbers] | None:
    """The same tuples by `exact_number`; None where `int` raises."""
    try:
        return [tuple(map(exact_number, match.split(","))) for match in _TUPLE.findall(text)]
    except ValueError:
        return None


_INTEGER_TUPLE = re.compile(r"\(\s*+(\d++)\s*+,\s*+(\d++)\s*+\)")


def integer_tuples(text: str) -> list[Numbers]:
    """Every `(x, y)` of whole numbers. Source: RoboBrain 2.0 `inference.py`, commit 8b8b3bd."""
    return _numbers(_INTEGER_TUPLE.findall(text))


_SIGNED_PAIR = r"\s*+(-?[0-9]++(?:\.[0-9]++)?),\s*+(-?[0-9]++(?:\.[0-9]++)?)\s*+"
_SIGNED_PAIRS = {
    "[]": re.compile(rf"\[{_SIGNED_PAIR}\]"),
    "()": re.compile(rf"\({_SIGNED_PAIR}\)"),
}


def signed_pairs(text: str, brackets: str) -> list[Numbers]:
    """Every pair in `[]` or in `()`, no blank before the comma.

    Source: XiaomiMiMo/MiMo-Embodied `_task_utils/eval_utils.py` `parse_point`, commit 0bee4b6.
    """
    return _numbers(_SIGNED_PAIRS[brackets].findall(text))


_GROUPS = re.compile(r"<(?:points|tracks)[^<>]*?coords=\"([0-9\t:;, .]++)\"")
_GROUP = re.compile(r"(?<![0-9])[0-9]++ ([0-9]{3,4}) ([0-9]{3,4})(?![0-9])")


def coordinate_groups(text: str) -> list[Numbers]:
    """Pairs `(x, y)` of each point in `<points coords="1 1 652 535 2 ..">`, as Molmo 2 writes them.

    The first number of a group is that of the picture; each point is its number and two of three
    or four digits. Source: jamespark3922/pointarena `molmo_evaluator.py`, commit 3966724.
    """
    groups = _GROUPS.findall(text)
    return _numbers([pair for group in groups for pair in _GROUP.findall(group)])


_QUAD = re.compile(r"\[\s*+" + r"\s*+,\s*+".join([f"({_SIGNED})"] * 4) + r"\s*+\]")


def bracket_quads(text: str) -> list[Numbers]:
    """Every `[a, b, c, d]`, whatever tags surround it; decoding may have dropped special tokens.

    Source: InternVL `eval/refcoco/evaluate_grounding.py` as Vlaser ships it, commit 40d7821.
    """
    return _numbers(_QUAD.findall(text))


_MOLMO = (
    re.compile(r"Click\(([0-9]++\.[0-9]), ?([0-9]++\.[0-9])\)"),
    re.compile(r"\(([0-9]++\.[0-9]),? ?([0-9]++\.[0-9])\)"),
    re.compile(r'x\d*+="\s*+([0-9]++(?:\.[0-9]++)?+)"\s++y\d*+="\s*+([0-9]++(?:\.[0-9]++)?+)"'),
)
_MOLMO_PACKED = re.compile(r"(?:(?<!\d)\d++|p)\s*+=\s*+([0-9]{3})\s*+,\s*+([0-9]{3})")


def percent_points(text: str) -> list[Numbers]:
    r"""Points in percent in any of Molmo's four forms; a value over 100 drops its point.

    Values are written in ASCII figures (`[0-9]`), the numbers of points in any (`\d`).

    Source: Molmo `olmo/util.py` `extract_points`, commit 793fa38, lines 831-897.
    """
    found = [pair for form in _MOLMO for pair in _numbers(form.findall(text))]
    found += [(x / 10, y / 10) for x, y in _numbers(_MOLMO_PACKED.findall(text))]
    return [pair for pair in found if all(n <= 100 for n in pair)]


_LOCATIONS = re.compile(r"<loc(\d{4})><loc(\d{4})><loc(\d{4})><loc(\d{4})>")


def location_boxes(text: str) -> list[Numbers]:
    """Groups of four `<locNNNN>` tokens as `(y1, x1, y2, x2)`."""
    return _numbers(_LOCATIONS.findall(text))


_FENCE = re.compile(r"```\w*+\n(.*?)```", re.DOTALL)


def json_items(text: str) -> list[Any]:
    """The items of the JSON in the first code fence, else of all the text, else of `[..]` in it.

    `[..]` goes from the first `[` to the last `]`; an object stands for a list of itself. Nothing
    when the JSON is broken.
    """
    if fenced := _FENCE.search(text):
        bodies = [fenced[1]]
    else:
        bodies = [text, text[max(text.find("["), 0) : text.rfind("]") + 1]]
    for body in bodies:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, list) else [found]
    return []


def json_numbers(items: Iterable[Any], keys: Sequence[str], length: int) -> list[Numbers]:
    """The number lists of one length under one of `keys`, from the objects among `items`."""
    lists = [i[key] for i in items if isinstance(i, dict) for key in keys if key in i]
    return [
        tuple(n if abs(n) < _HUGE else math.nan for n in v)
        for v in lists
        if isinstance(v, list)
        and len(v) == length
        and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in v)
    ]


_KEYED_PAIR = re.compile(
    rf'["\'](?:point_2d|points?|coordinates?|xy)["\']\s*+:\s*+\[\s*+({_LOOSE})\s*+,\s*+({_LOOSE})\s*+\]'
)
_LOOSE_TUPLE = re.compile(rf"\(\s*+({_LOOSE})\s*+,\s*+({_LOOSE})\s*+\)")
_LOOSE_PAIR = re.compile(rf"\[\s*+({_LOOSE})\s*+,\s*+({_LOOSE})\s*+\]")
_X, _Y = (
    rf"""(?<![^\W{CJK}])(?<!["']){axis}(?:\d*+\s*+=|\s*+:)\s*+["']?+\s*+({_NAMED})(?:\s*+["'])?+"""
    for axis in ("[xX]", "[yY]")
)
_APART = r"[\s,;]++(?:and\s++)?+"
_NO_EXTENT = r"(?![\s,;]*+(?:w|h|width|height)\s*+[=:])"
_ATTRIBUTES = re.compile(rf"{_X}{_APART}{_Y}{_NO_EXTENT}|{_Y}{_APART}{_X}{_NO_EXTENT}")
_KEYED_QUAD = re.compile(
    r'["\'](?:bbox_2d|box_2d|bbox|box)["\']\s*+:\s*+\[\s*+'
    + r"\s*+,\s*+".join([f"({_LOOSE})"] * 4)
    + r"\s*+\]"
)
_LOOSE_QUAD = re.compile(r"[\[(]\s*+" + r"\s*+,\s*+".join([f"({_LOOSE})"] * 4) + r"\s*+[\])]")


_OBJECT = re.compile(r"\{[^{}]*+")
_KEYED = re.compile(rf"""(?<!\w)["']?(\w{{1,8}})["']?\s*+:\s*+["']?+({_NAMED})(?!\w)""")
_EXTENT = frozenset(("w", "h", "width", "height", "x1", "x2", "xmin", "xmax", "x_min", "x_max"))
_EXTENT_KEYS = (("x", "y", "width", "height"), ("x", "y", "w", "h"))
_CORNER_KEYS = (
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("left", "top", "right", "bottom"),
)
_CORNER = rf"[\[(]\s*+({_LOOSE})\s*+,\s*+({_LOOSE})\s*+[\])]"
_CORNERS = re.compile(
    r"""(?:<box>|<\|box_start\|>|["'](?:bbox_2d|box_2d|bbox|box)["']\s*+:)\s*+\[?\s*+"""
    + rf"{_CORNER}\s*+,\s*+{_CORNER}"
)
_CLOSED_CORNERS = re.compile(rf"{_CORNERS.pattern}\s*+(?:\]|</box>|<\|box_end\|>)")
_MORE_CORNERS = re.compile(rf"{_CORNERS.pattern}(?:\s*+,\s*+{_CORNER})*+")
_BOX_TAG = re.compile(r"<b?box\s[^<>]*+>")
_DENIED_PLACE = re.compile(
    r"(?i)(?:\bnot|n['\u2019]t)\s{1,3}(?:at\s{1,3})?[\[(][^\[\]()]{0,60}[\])]"
)
_PLACE_CORRECTED = correction(r"[\[({<]")


def place_texts(text: str) -> tuple[str, ...]:
    """Where a tolerant reader looks for places, in order: after the last correction, then in all.

    Thoughts and denied places are left out, full-width figures and brackets are ASCII.
    """
    said = _DENIED_PLACE.sub(" ", half_width(after_thinking(text)))
    later = corrected(said, _PLACE_CORRECTED)
    return (said,) if later is None else (later, said)


def without_corners(text: str) -> str:
    """The text without boxes that are written as corners, which are no points."""
    return _BOX_TAG.sub(" ", _MORE_CORNERS.sub(" ", text))


def attribute_pairs(text: str) -> list[Numbers]:
    """`x=".." y=".."` in either order, numbered or not, `x: .., y: ..`, or `{"y": .., "x": ..}`.

    x is named, so the order is known. What has a width, a height or a second corner is a box.
    """
    found = _ATTRIBUTES.findall(without_corners(text))
    if found:
        return _numbers((a, b) if a else (d, c) for a, b, c, d in found)
    objects = [keys for keys in _objects(text) if not keys.keys() & _EXTENT]
    return _numbers((keys["x"], keys["y"]) for keys in objects if "x" in keys and "y" in keys)


def _objects(text: str) -> Iterator[dict[str, str]]:
    """The keys with numbers of each object that holds no other."""
    for match in _OBJECT.finditer(text):
        yield {key.lower(): value for key, value in _KEYED.findall(match[0])}


def loose_pairs(text: str) -> list[Numbers]:
    """Pairs in the first form that has any: keyed JSON, round brackets, square brackets.

    The two corners of a box are no points.
    """
    text = without_corners(text)
    for form in (_KEYED_PAIR, _LOOSE_TUPLE, _LOOSE_PAIR):
        if found := form.findall(text):
            return _numbers(found)
    return []


def named_quads(text: str) -> list[Numbers]:
    """Boxes `(x1, y1, x2, y2)` whose corners are named, in any order: `{"x1": .., "y1": ..}`."""
    return _numbers(
        [keys[name] for name in corners]
        for keys in _objects(text)
        for corners in _CORNER_KEYS
        if all(name in keys for name in corners)
    )


def extents(text: str) -> list[Numbers]:
    """Groups `(x, y, width, height)` whose keys are named, in any order: `{"x": .., "width": ..}`.

    What x and y are of the box, its centre or a corner, is the reader's to know.
    """
    return _numbers(
        [keys[name] for name in names]
        for keys in _objects(text)
        for names in _EXTENT_KEYS
        if all(name in keys for name in names)
    )


def loose_quads(text: str) -> list[Numbers]:
    """Groups of four in the first form that has any: keyed JSON, any brackets, two corners."""
    for form in (_KEYED_QUAD, _LOOSE_QUAD, _CLOSED_CORNERS):
        if found := form.findall(text):
            return _numbers(found)
    return []
