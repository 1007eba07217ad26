"""Readers of RoboSpatial-Home's answers: the authors', a tolerant one, and those of two harnesses.

None of them ever raises; the time is linear in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import Any

from er_bench.core.answer import Answer, Points, Status
from er_bench.core.geometry import Point, Unit
from er_bench.reading.coordinates import Numbers, attribute_pairs, loose_pairs, place_texts

# --- as released --------------------------------------------------------------------------------

_PAIR = r"\s*+(\d+(?:\.\d*)?)\s*+,\s*+(\d+(?:\.\d*)?)\s*+"
_PAIRS = (re.compile(rf"\({_PAIR}\)"), re.compile(rf"\[{_PAIR}\]"))
_NUMBER = r"[+-]?\s*+(?:[0-9]+(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?"
_ITEM = rf"(?:{_NUMBER}|\(\s*+{_NUMBER}\s*+(?:,\s*+{_NUMBER}\s*+)*+,?\s*+\))"
_LIST = re.compile(rf"\s*+{_ITEM}\s*+(?:,\s*+{_ITEM}\s*+)*+,?\s*+")
_FIRST = re.compile(_NUMBER)


def read_prefix(text: str) -> Answer:
    """`yes` or `no` where the text begins so, blanks and case aside: "Nothing" is no.

    chanhee-luke/RoboSpatial-Eval `evaluation.py` `evaluate_answer`, commit 19f04a5.
    """
    said = text.strip().lower()
    word = next((word for word in ("yes", "no") if said.startswith(word)), None)
    return Answer(word) if word else Answer.unparsed("the answer begins with neither yes nor no")


def read_first_pair(text: str) -> Answer:
    """The first `(x, y)` without signs, else the first `[x, y]`, else the first list's first pair.

    Fractions, whatever the numbers look like; more points are not read. The last form is where
    signs and `.5` are read. `evaluate_answer`, commit 19f04a5.
    """
    for form in _PAIRS:
        if found := form.search(text):
            return _fractions([(float(found[1]), float(found[2]))])
    start = text.find("[")
    end = text.find("]", start)
    pair = _first_of_list(text[start + 1 : end]) if 0 <= start < end else None
    return _fractions([pair] if pair else [])


def _first_of_list(content: str) -> Point | None:
    """The list's two numbers, or its first tuple if that has two; None if it is no list of them."""
    if not _LIST.fullmatch(content):
        return None
    body = content.strip().removesuffix(",")
    if body.startswith("("):
        body = body[1 : body.index(")")]
    elif "(" in body:
        return None
    numbers = [float("".join(number.split())) for number in _FIRST.findall(body)]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


# --- robust -------------------------------------------------------------------------------------


def read_pairs(text: str) -> Answer:
    """Pairs in any brackets or JSON after the thoughts: whole numbers beyond 1 are pixels."""
    for said in place_texts(text):
        if found := [p for p in attribute_pairs(said) or loose_pairs(said) if _finite(p)]:
            pixels = all(isinstance(n, int) for p in found for n in p) and any(
                n > 1 for p in found for n in p
            )
            points = tuple((float(p[0]), float(p[1])) for p in found)
            return Answer(Points(points, Unit.PIXEL if pixels else Unit.FRACTION))
    return Answer.unparsed()


def _finite(pair: Numbers) -> bool:
    return all(abs(n) < 1e15 for n in pair)


def _fractions(pairs: Iterable[Point]) -> Answer:
    points = tuple(pairs)
    if not points:
        return Answer.unparsed("the released reader finds no pair")
    if not all(isfinite(n) and abs(n) < 1e15 for point in points for n in point):
        return Answer(None, Status.UNPARSED, "a number beyond any picture")
    return Answer(Points(points, Unit.FRACTION))


# --- lmms-eval ----------------------------------------------------------------------------------

_FENCE = re.compile(r"```\w*+\n(.*?)```", re.DOTALL)
_OPEN, _CLOSE = (re.compile(f"<{mark}answer>", re.IGNORECASE) for mark in ("", "/"))


def after_lmms_think(text: str) -> str:
    """What follows the first end of thoughts; of that the first answer block, if there is one."""
    for end in ("</think>", "</thought>"):
        before, mark, after = text.partition(end)
        text = after if mark else before
    begin = _OPEN.search(text)
    close = _CLOSE.search(text, begin.end()) if begin else None
    return (text[begin.end() : close.start()] if begin and close else text).strip()


def read_lmms_yes_no(text: str) -> Answer:
    """The one of "yes" and "no" that is in the last line, as part of a word too: "now" is no.

    lmms-eval `tasks/robo_spatial/utils.py` `evaluate_binary_answer`, commit 75571cfe.
    """
    line = after_lmms_think(text).lower().rpartition("\n")[2]
    found = [word for word in ("yes", "no") if word in line]
    if len(found) == 2:
        return Answer(None, Status.AMBIGUOUS, "the last line has yes and no in it")
    return Answer(found[0]) if found else Answer.unparsed("neither is in the last line")


def read_lmms_points(text: str) -> Answer:
    """`point_2d` of the objects in the first code fence, per 1000; nothing outside a fence.

    `json2pts`, commit 75571cfe.
    """
    fence = _FENCE.search(after_lmms_think(text))
    pairs: list[Any] = [item.get("point_2d") for item in (_items(fence[1]) if fence else [])]
    points = tuple((float(p[0]), float(p[1])) for p in pairs if _is_pair(p))
    return Answer(Points(points, Unit.PER_1000)) if points else Answer.unparsed("no point_2d")


def _items(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(n) in (int, float) and abs(n) < 1e15 for n in value)
    )


# --- FlagEvalMM ---------------------------------------------------------------------------------

_KEYS = (
    *("Answer:", "Answer is", "answer is", "Answer", "answer"),
    *("\u7b54\u6848\u4e3a", "\u7b54\u6848\u662f", "\u89e3\u662f", "\u89e3\u4e3a", "\u7b54\u6848"),
    *("\u7ed3\u679c", "\u4e3a", "\u56e0\u6b64", " = "),
)


def flageval_answer(text: str) -> str:
    """What follows the last key word in the last line.

    FlagEvalMM `normalize_string`, commit fef27ec6, as far as it matters for yes, no and tuples.
    """
    line = text.strip().rpartition("\n")[2].replace("\uff1a", ":")
    key = next((key for key in _KEYS if key in line), None)
    return (line.rpartition(key)[2] if key else line).strip().removeprefix(":").strip()


def read_flageval_yes_no(text: str) -> Answer:
    """`yes` or `no` where that begins so: `tasks/robo_spatial_home/evaluate.py`, fef27ec6."""
    return read_prefix(flageval_answer(text))
