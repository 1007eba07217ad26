"""What PointArena's released code asks each model family, and how it reads the answers.

Source: pointarena/pointarena, commit dcd82f2, `model_evaluator.py` and `molmo_evaluator.py`. The
prompt texts keep the indentation that they have in the source, and its trailing spaces.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from er_bench.core.answer import Answer, Points
from er_bench.core.geometry import Point, Size, Unit
from er_bench.reading.coordinates import (
    attribute_pairs,
    loose_pairs,
    percent_points,
    place_texts,
    without_corners,
)

V = TypeVar("V")

SYSTEM = (
    "You are a helpful assistant that can identify objects in images and provide their coordinates."
)
_SIZE = "The image dimensions are width={w}px, height={h}px.{orig}"
_ORDER = (
    "in [x, y] format where x is the horizontal position (left-to-right) and y is the vertical "
    "position (top-to-bottom) in PIXEL COORDINATES (not normalized)."
)
_CENTRE = "Example: For a point in the center of the image, return [width/2, height/2]."
_ONE = (
    "{q}.",
    _SIZE,
    'The answer should follow the json format: [{"point": <point>}]. ',
    f"IMPORTANT: Return EXACTLY ONE POINT. The point MUST be {_ORDER}",
    _CENTRE,
)
_MANY = (
    "{q}.",
    _SIZE,
    'The answer should follow the json format: [{"point": <point>}, ...]. ',
    f"IMPORTANT: The points MUST be {_ORDER}",
    _CENTRE,
)


def _indented(lines: Sequence[str], indent: int, last: int) -> str:
    return "".join(f"\n{' ' * indent}{line}" for line in lines) + "\n" + " " * last


_OWN = {False: _indented(_ONE, 8, 12), True: _indented(_MANY, 12, 12)}
_GEMINI = _indented(("{q}", "{orig}"), 12, 12)
_QWEN_LINES = (
    "{q}",
    "Output its coordinates in XML format <points x y>object</points>.",
    "{orig}",
)
_QWEN = {False: _indented(_QWEN_LINES, 12, 11), True: _indented(_QWEN_LINES, 12, 12)}
_MOLMO = _indented(("pointing: {q}", "{orig}"), 12, 12)


def filled(form: str, question: str, size_wh: Size, original: str) -> str:
    """A family's words about one row."""
    words = {"q": question, "w": str(size_wh[0]), "h": str(size_wh[1]), "orig": original}
    return re.sub(r"\{(q|w|h|orig)\}", lambda place: words[place[1]], form)


def original_point(points_percent_xy: Sequence[Point], size_wh: Size) -> str:
    """The text about a steerable row's original points, always in pixels (lines 280-324)."""
    if not points_percent_xy:
        return ""
    w, h = size_wh
    shown = ", ".join(f"[{x * w / 100:.1f}, {y * h / 100:.1f}]" for x, y in points_percent_xy)
    return (
        f"\nThe image contains an existing original point at pixel coordinates: {shown}."
        "\nThe query refers to this existing point."
    )


def _between_brackets(text: str) -> list[object]:
    """The JSON list from the first `[` to the last `]`, or nothing (lines 390-402)."""
    try:
        found = json.loads(text[text.find("[") : text.rfind("]") + 1] if "[" in text else "")
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


_FAR = 1e15


def _place(value: float) -> float:
    """A coordinate, one that no image reaches for those that the released check cannot truncate.

    `int` raises for them while the row is judged, which fails it as a point outside does.
    """
    return value if abs(value) < _FAR else math.copysign(_FAR, value)


def _pixel(value: object) -> float:
    """A coordinate that the released check can truncate with `int`; raises as `int` does."""
    if isinstance(value, (int, float, str)):
        return _place(float(value) if int(value) < _FAR else _FAR)
    raise ValueError


def read_own(text: str, counting: bool) -> Answer:
    """`[{"point": [x, y]}, ..]` in pixels; one malformed kept item fails the row."""
    items = _between_brackets(text)
    xy: list[Point] = []
    try:
        for item in items if counting else items[:1]:
            x, y = item["point"]  # type: ignore[index]
            xy.append((_pixel(x), _pixel(y)))
    except (KeyError, TypeError, ValueError, OverflowError):
        return Answer.unparsed("an item is not a point")
    return Answer(Points(tuple(xy), Unit.PIXEL)) if xy else Answer.unparsed()


_BARE_PAIR = re.compile(r"\[(\d++(?:\.\d*+)?+),\s*+(\d++(?:\.\d*+)?+)\]")


def read_gemini(text: str) -> Answer:
    """`{"point": [y, x]}` in 0..1000, else every `[y, x]` (lines 488-535)."""
    yx: list[Point] = []
    for item in _between_brackets(text):
        point = item.get("point") if isinstance(item, dict) else None
        if isinstance(point, list) and len(point) == 2:
            if not all(isinstance(n, (int, float)) for n in point):
                return Answer.unparsed("a coordinate is not a number")
            try:
                yx.append((_place(float(point[0])), _place(float(point[1]))))
            except OverflowError:
                return Answer.unparsed("a coordinate is too large")
    if not yx and _between_brackets(text):
        yx = _floats(_BARE_PAIR.findall(text))
    return Answer(Points(tuple((x, y) for y, x in yx), Unit.PER_1000)) if yx else Answer.unparsed()


_NUMBER = re.compile(r"\d++(?:\.\d*+)?+")


def _json_points(items: Sequence[object], *, point_2d: bool) -> list[Point]:
    """Points of a parsed list: `[x, y]`, `{"point": [x, y]}` and, for Qwen, `{"point_2d": ..}`.

    Raises ValueError, TypeError and OverflowError as `float` does.
    """
    found: list[Point] = []
    for item in items:
        pair: object = item
        if isinstance(item, dict):
            key = "point_2d" if point_2d and "point_2d" in item else "point"
            pair = item.get(key)
        if isinstance(pair, list) and len(pair) == 2:
            found.append((_place(float(pair[0])), _place(float(pair[1]))))
    return found


def read_molmo(text: str) -> Answer:
    """Molmo's forms in percent; without any `[x, y]`, points in JSON, any two numbers, as pixels.

    `molmo_evaluator.py`, lines 206-273 and 336-400.
    """
    if found := percent_points(text):
        return Answer(Points(tuple((x, y) for x, y in found), Unit.PERCENT))
    inner = text[text.find("[") : text.rfind("]") + 1] if "[" in text else ""
    xy = _floats(_BARE_PAIR.findall(inner))
    items = [] if xy else _between_brackets(text)
    try:
        xy = xy or _json_points(items, point_2d=False)
    except (ValueError, TypeError, OverflowError):
        return Answer.unparsed("a coordinate is not a number")
    if items and not xy:
        numbers = _NUMBER.findall(inner)
        xy = _floats(list(zip(numbers[::2], numbers[1::2], strict=False)))
    return Answer(Points(tuple(xy), Unit.PIXEL)) if xy else Answer.unparsed()


_N = r"(\d++(?:\.\d*+)?+)"
_XML = (
    re.compile(rf"<points\s++x1=[\"']?{_N}[\"']?\s++y1=[\"']?{_N}[\"']?"),
    re.compile(rf"<points\s++x=[\"']?{_N}[\"']?\s++y=[\"']?{_N}[\"']?"),
    re.compile(rf"<points\s++{_N}\s++{_N}(?=>)"),
)
"""What stands before `.*?>.*?</points>`, which `_closed` looks for in linear time."""
_ATTRIBUTES = re.compile(rf'x1?[=:" ]++{_N}[ ",]*+y1?[=:" ]++{_N}')
_POINT_2D = re.compile(rf'"point_2d":\s*+\[{_N},\s*+{_N}\]')
_ANY_PAIR = re.compile(rf"(?<!\d){_N}(?:\s*+,\s*+|\s++){_N}")


def _closed(text: str, head: re.Pattern[str]) -> list[tuple[str, str]]:
    """The pairs of `head` after which `>` and then `</points>` stand in the same line."""
    found, at, unclosed_until = [], 0, -1
    while match := head.search(text, at):
        at = match.end()
        if at <= unclosed_until:
            continue
        line_end = text.find("\n", at)
        line_end = line_end if line_end >= 0 else len(text)
        bracket = text.find(">", at, line_end)
        close = text.find("</points>", bracket + 1, line_end) if bracket >= 0 else -1
        if close >= 0:
            found.append((match[1], match[2]))
            at = close + len("</points>")
        else:
            unclosed_until = line_end
    return found


def read_qwen(text: str, counting: bool) -> Answer:
    """XML, attributes, JSON, then any two numbers, as pixels of the original (lines 876-1060).

    `<points x1= y1= x2= ..>` yields its first pair only. Patterns see unsigned numbers without
    blanks inside the brackets; what they miss is read as JSON, with its signs.
    """
    pairs = [pair for form in _XML for pair in _closed(text, form)] or _ATTRIBUTES.findall(text)
    if pairs or "[" not in text:
        xy = _floats(pairs or _ANY_PAIR.findall(text))
    else:
        inner = text[text.find("[") : text.rfind("]") + 1]
        xy = _floats(_POINT_2D.findall(inner) or _BARE_PAIR.findall(inner))
        xy = xy or _qwen_json(text) or _floats(_ANY_PAIR.findall(text)[:1])
    xy = xy if counting else xy[:1]
    return Answer(Points(tuple(xy), Unit.PIXEL)) if xy else Answer.unparsed()


def _qwen_json(text: str) -> list[Point]:
    try:
        return _json_points(_between_brackets(text), point_2d=True)
    except (ValueError, TypeError, OverflowError):
        return []


def _floats(pairs: Sequence[Sequence[str]]) -> list[Point]:
    return [(_place(float(a)), _place(float(b))) for a, b in pairs]


@dataclass(frozen=True, slots=True)
class Released:
    """What the released code has for one family, for counting rows and for others."""

    forms: Mapping[bool, str]
    """The words that ask, with places for `filled`; by whether the row counts."""
    readers: Mapping[bool, Callable[[str], Answer]]
    """By whether the row counts."""
    text_first: bool = False
    """Whether the text goes before the image."""


def _both(value: V) -> dict[bool, V]:
    return {False: value, True: value}


def _counting(read: Callable[[str, bool], Answer]) -> dict[bool, Callable[[str], Answer]]:
    return {False: lambda text: read(text, False), True: lambda text: read(text, True)}


FAMILIES: Mapping[str, Released] = {
    "benchmark": Released(_OWN, _counting(read_own)),
    "gemini": Released(_both(_GEMINI), _both(read_gemini), text_first=True),
    "qwen2_5_vl": Released(_QWEN, _counting(read_qwen)),
    "molmo_single": Released(_both(_MOLMO), _both(read_molmo)),
    "molmo_multi": Released(_both(_MOLMO), _both(read_molmo)),
}
"""By dialect."""


def read_tolerant(text: str) -> Answer:
    """Any pairs of numbers after the thoughts, as pixels of the original image."""
    for said in place_texts(text):
        answer = read_own(without_corners(said), counting=True)
        if answer.value is not None:
            return answer
        xy = tuple((float(x), float(y)) for x, y in attribute_pairs(said) or loose_pairs(said))
        if _finite(xy):
            return Answer(Points(xy, Unit.PIXEL))
    return Answer.unparsed()


def _finite(xy: Sequence[Point]) -> bool:
    return bool(xy) and all(abs(n) < 1e300 for pair in xy for n in pair)


def write_own(points: Points) -> str:
    """Points in pixels as the own prompt wants them."""
    return json.dumps([{"point": [int(x), int(y)]} for x, y in points.xy])
