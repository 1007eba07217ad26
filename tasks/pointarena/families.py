"""What PointArena's released code asks each model family, and how it reads the answers.

Source: pointarena/pointarena, commit dcd82f2, `model_evaluator.py` and `molmo_evaluator.py`. The
prompt texts keep the indentation that they have in the source, and its trailing spaces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from er_bench.core.answer import Answer, Points
from er_bench.core.geometry import Point, Size, Unit
from er_bench.reading.coordinates import after_thinking, loose_pairs, percent_points

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


def _pixel(value: object) -> float:
    """A coordinate that the released check can truncate with `int`; raises as `int` does."""
    if isinstance(value, (int, float, str)) and len(str(value)) < 300:
        int(value)
        return float(value)
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
            if not all(isinstance(n, (int, float)) and abs(n) < 1e300 for n in point):
                return Answer.unparsed("a coordinate is not a number")
            yx.append((float(point[0]), float(point[1])))
    if not yx and _between_brackets(text):
        yx = _floats(_BARE_PAIR.findall(text))
    return Answer(Points(tuple((x, y) for y, x in yx), Unit.PER_1000)) if yx else Answer.unparsed()


_NUMBER = re.compile(r"\d++(?:\.\d*+)?+")


def read_molmo(text: str) -> Answer:
    """Molmo's forms in percent; without any, `[x, y]`, then any two numbers in JSON, as pixels."""
    if found := percent_points(text):
        return Answer(Points(tuple((x, y) for x, y in found), Unit.PERCENT))
    inner = text[text.find("[") : text.rfind("]") + 1] if "[" in text else ""
    pairs: Sequence[Sequence[str]] = _BARE_PAIR.findall(inner)
    if not pairs and _between_brackets(text):
        numbers = _NUMBER.findall(inner)
        pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    xy = tuple(_floats(pairs))
    return Answer(Points(xy, Unit.PIXEL)) if xy else Answer.unparsed()


_N = r"(\d++(?:\.\d*+)?+)"
_XML = (
    re.compile(
        rf"<points\s++x1=[\"']?{_N}[\"']?\s++y1=[\"']?{_N}[\"']?[^\n<>]*+>[^\n<]*+</points>"
    ),
    re.compile(rf"<points\s++x=[\"']?{_N}[\"']?\s++y=[\"']?{_N}[\"']?[^\n<>]*+>[^\n<]*+</points>"),
    re.compile(rf"<points\s++{_N}\s++{_N}>[^\n<]*+</points>"),
)
_ATTRIBUTES = re.compile(rf'x1?[=:" ]++{_N}[ ",]*+y1?[=:" ]++{_N}')
_POINT_2D = re.compile(rf'"point_2d":\s*+\[{_N},\s*+{_N}\]')
_ANY_PAIR = re.compile(rf"(?<!\d){_N}(?:\s*+,\s*+|\s++){_N}")


def read_qwen(text: str, counting: bool) -> Answer:
    """XML, attributes, JSON, then any two numbers, as pixels of the original (lines 880-1010).

    `<points x1= y1= x2= ..>` yields its first pair only.
    """
    found = [pair for form in _XML for pair in form.findall(text)] or _ATTRIBUTES.findall(text)
    if not found and "[" in text:
        inner = text[text.find("[") : text.rfind("]") + 1]
        found = _POINT_2D.findall(inner) or _BARE_PAIR.findall(inner)
        found = found or _ANY_PAIR.findall(text)[:1]
    elif not found:
        found = _ANY_PAIR.findall(text)
    xy = tuple(_floats(found if counting else found[:1]))
    return Answer(Points(xy, Unit.PIXEL)) if xy else Answer.unparsed()


def _floats(pairs: Sequence[Sequence[str]]) -> list[Point]:
    return [(float(a), float(b)) for a, b in pairs if len(a) < 300 and len(b) < 300]


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
    text = after_thinking(text)
    answer = read_own(text, counting=True)
    if answer.value is not None:
        return answer
    xy = tuple((float(x), float(y)) for x, y in loose_pairs(text))
    return Answer(Points(xy, Unit.PIXEL)) if _finite(xy) else Answer.unparsed()


def _finite(xy: Sequence[Point]) -> bool:
    return bool(xy) and all(abs(n) < 1e300 for pair in xy for n in pair)


def write_own(points: Points) -> str:
    """Points in pixels as the own prompt wants them."""
    return json.dumps([{"point": [int(x), int(y)]} for x, y in points.xy])
