"""Readers of numbers as other harnesses have them; none of them ever raises."""

from __future__ import annotations

import ast
import math
import re

from er_bench.core.answer import Answer
from er_bench.reading.neighbour_letters import INVISIBLE, after_think

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
_WORDS = {
    **{word: value for value, word in enumerate(_SMALL)},
    **dict(zip("thirty forty fifty sixty seventy eighty ninety".split(), range(30, 100, 10),
               strict=True)),
    "hundred": 100,
    "thousand": 1000,
}  # fmt: skip


def read_lmms_number(text: str) -> Answer:
    """The first number, in figures or in English words, whichever comes first.

    No exponent, no thousands comma; words go on over "and" up to the first other word. lmms-eval
    `tasks/vsibench/utils.py` `extract_number`, commit 75571cfe.
    """
    text = text.strip().lower()
    figures = re.search(r"-?\d+(?:\.\d+)?", text)
    words = [m for m in re.finditer("[a-z]+", text)]
    first = next((k for k, m in enumerate(words) if m[0] in _WORDS), None)
    if figures and (first is None or figures.start() < words[first].start()):
        return _finite(figures[0])
    if first is None:
        return Answer.unparsed("no number")
    total = part = 0
    for word in (m[0] for m in words[first:]):
        if word not in _WORDS and word != "and":
            break
        value = _WORDS.get(word, 0)
        if value == 1000:
            total, part = total + max(part, 1) * 1000, 0
        else:
            part = max(part, 1) * 100 if value == 100 else part + value
    return Answer(float(total + part))


_FIGURES = r"[-+]?(?:\d+\.\d+|\.\d+|\d+)(?:[eE][-+]?\d+)?"
_NUMBER = re.compile(_FIGURES)
_SPELT = re.compile(rf"\b({'|'.join(_SMALL)})\b", re.I)
_BLOCK = re.compile(
    rf"<\s*+answer\b[^>]{{0,200}}+>\s*+({_FIGURES})(?:[^\d<][^<]*+)?<\s*+/\s*+answer\s*+>", re.I
)
LIST_CHARS = 10_000


def read_spatial_number(text: str) -> Answer:
    """The number of an answer block, else the last after the thoughts, else the last of all.

    Zero to twenty may be spelt; of a list, the first item. VLMEvalKit and EASI `spatial_bench`
    `can_match_na`, VLMEvalKit commit e8e78f05.
    """
    text = text.strip()
    if text[:1] == "[" and text[-1:] == "]" and len(text) <= LIST_CHARS:
        try:
            items = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return Answer.unparsed("a list that Python does not read")
        text = str(items[0]) if isinstance(items, list) and items else text
    text = _SPELT.sub(lambda m: str(_WORDS[m[1].lower()]), INVISIBLE.sub("", text))
    if block := _BLOCK.search(text):
        return _finite(block[1])
    found = _NUMBER.findall(after_think(text)) or _NUMBER.findall(text)
    return _finite(found[-1]) if found else Answer.unparsed("no number")


def _finite(figures: str) -> Answer:
    value = float(figures)
    return Answer(value) if math.isfinite(value) else Answer.unparsed("no finite number")
