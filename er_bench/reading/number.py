"""Readers of numbers: one as VSI-Bench released it, and the best one we can write.

Each takes the text of a completion and returns an `Answer` whose value is a float; none raises.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator

from er_bench.core.answer import Answer, Status
from er_bench.reading.final_answer import corrected, final_answer


def read_first_word(text: str) -> Answer:
    """`float()` of the first word, a trailing full stop aside; "4m" and "four" are no numbers.

    VSI-Bench `vsibench/utils.py` `fuzzy_matching` and `to_float`, commit 51e089c. What `float`
    takes for infinite or NaN scores 0 there, and is out of range here.
    """
    try:
        return _finite(float(text.split(" ")[0].rstrip(".").strip()))
    except ValueError:
        return Answer.unparsed("the first word is no number")


_ONES = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split()
    )
}


_TENS = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}


_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}


_WORDS = "|".join(sorted([*_ONES, *_TENS, *_SCALES], key=len, reverse=True))


_WORD = re.compile(rf"(?i)(?<!\w)(?:{_WORDS})(?!\w)")


_JOINT = re.compile(r"(?i)[ \t-]{1,3}(?:and[ \t]{1,3}|point[ \t]{1,3})?")


_MOST_WORDS = 16


_DIGITS = re.compile(
    r"(?<![\w.])(?:(?<!\d)[-\u2212+])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:(?<=\d)\.\d*|\.\d+|(?<=\d))"
    r"(?:[eE][-+]?\d+)?(?!\d)"
)


_RANGE = re.compile(r"\s*(?:[-\u2013\u2014~,/x\u00d7]|to|or|and)\s*")


_CUE = re.compile(
    r"(?i)\banswer\b[*_]{0,3}(?:\s+(?:is|would\s+be|should\s+be)\b|\s*[:=]){0,2}"
    r"[\s*_:`\"'$(\[{]{0,16}(?:about\s+|around\s+|approximately\s+|roughly\s+|~\s*)?"
)


_UNIT = re.compile(
    r"(?i)\s*(?:m|cm|mm|km|ft|in|meters?|metres?|centimeters?|centimetres?|feet|inch(?:es)?|square)"
    r"\b"
)


_DENIED = re.compile(r"(?i)\b(?:not|(?:is|was|are)n['\u2019]t)\s{1,3}[*_`\"'(]{0,4}$")
_FULL_WIDTH = {0xFF10 + n: str(n) for n in range(10)} | {0xFF0C: ",", 0xFF0D: "-", 0xFF0E: "."}
_FRACTION = re.compile(r"(?<![\d.,])(\d{0,15})[ \u2009]?([\u00bc-\u00be\u2150-\u215e])")
_GAP = re.compile(r"(?<=\d)(?<!\d{4})[\u00a0\u2009\u202f'\u2019_](?=\d{3}(?!\d))")


def _plain_figures(text: str) -> str:
    """Full-width figures, fractions like `2\u00bd` and marks between thousands in ASCII."""
    text = _GAP.sub("", _GAP.sub("", text.translate(_FULL_WIDTH)))
    return _FRACTION.sub(lambda f: repr(int(f[1] or 0) + unicodedata.numeric(f[2])), text)


def read_number(text: str) -> Answer:
    """The number that an answer settles on: figures or English words, units and signs understood.

    The number stated as the answer counts, else the only number, else the one that opens the
    answer, else the last one that carries a unit of length. A range ("5-6") and a text of several
    bare numbers are ambiguous; a number too large to hold is out of range.
    """
    text = _plain_figures(final_answer(text))
    if (later := corrected(text)) is not None:
        answer = _settled(later)
        if answer.status is Status.OK:
            return answer
    return _settled(text)


def _settled(text: str) -> Answer:
    found = [one for one in _numbers(text) if not _DENIED.search(text, max(0, one[0] - 24), one[0])]
    if not found:
        return Answer.unparsed("no number is stated")
    if all(value == found[0][2] for _, _, value in found):
        return _finite(found[0][2])
    cues = [match.end() for match in _CUE.finditer(text)]
    for cue in reversed(cues):
        if stated := [k for k, (start, _, _) in enumerate(found) if start == cue]:
            return _unless_range(text, found, stated[0])
    if not text[: found[0][0]].strip(" \n\t*_`\"'~$(["):
        return _unless_range(text, found, 0)
    with_unit = [k for k, (_, end, _) in enumerate(found) if _UNIT.match(text, end)]
    if len({found[k][2] for k in with_unit}) == 1:
        return _unless_range(text, found, with_unit[-1])
    values = ", ".join(f"{value:g}" for _, _, value in found[:4])
    return Answer(None, Status.AMBIGUOUS, f"fits {values}")


def _finite(value: float) -> Answer:
    if math.isfinite(value):
        return Answer(value)
    return Answer(None, Status.OUT_OF_RANGE, "not a finite number")


def _unless_range(text: str, found: list[tuple[int, int, float]], k: int) -> Answer:
    """Number `k`, unless a dash or "to" joins it to a different neighbour."""
    for a, b in ((k - 1, k), (k, k + 1)):
        if 0 <= a and b < len(found) and found[a][2] != found[b][2]:
            between = text[found[a][1] : found[b][0]]
            if _RANGE.fullmatch(between) and between.strip():
                return Answer(None, Status.AMBIGUOUS, f"{found[a][2]:g} to {found[b][2]:g}")
    return _finite(found[k][2])


def _numbers(text: str) -> Iterator[tuple[int, int, float]]:
    """Start, end and value of each number, in order. Exponents of units (`m^2`) are left out."""
    found = []
    for match in _DIGITS.finditer(text):
        exponent = text.endswith("^", 0, match.start())
        if match.group().strip("+-\u2212") and not exponent:
            found.append((match.start(), match.end(), _value(match.group())))
    for start, end in _spelled_spans(text):
        if (value := _spelled(text[start:end].lower())) is not None:
            found.append((start, end, value))
    yield from sorted(found)


def _spelled_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where number words stand, those that belong together as one span."""
    span: list[re.Match[str]] = []
    for word in _WORD.finditer(text):
        if span and not _JOINT.fullmatch(text, span[-1].end(), word.start()):
            yield from _span(text, span)
            span = []
        span.append(word)
    yield from _span(text, span)


def _span(text: str, words: list[re.Match[str]]) -> Iterator[tuple[int, int]]:
    """The span of some words, unless it is no number: too long, or part of "one-legged"."""
    if 0 < len(words) <= _MOST_WORDS and not text.startswith("-", words[-1].end()):
        yield words[0].start(), words[-1].end()


def _value(figures: str) -> float:
    return float(figures.replace(",", "").replace("\u2212", "-"))


def _spelled(words: str) -> float | None:
    """The value of a number in words; None when the words do not make one number."""
    whole, _, decimals = " ".join(words.split()).partition(" point ")
    total = group = 0
    last = math.inf
    for word in re.split(r"[\s-]+", whole):
        if word == "and":
            continue
        if word in _SCALES:
            scale = _SCALES[word]
            if scale == 100:
                group = max(group, 1) * 100
            else:
                total, group = total + max(group, 1) * scale, 0
            last = math.inf
            continue
        value = _ONES.get(word, _TENS.get(word, 0))
        if value >= last or (last < 20 and last is not math.inf):
            return None
        group, last = group + value, value if value >= 20 else 0
    fraction = "".join(str(_ONES[d]) for d in decimals.split() if _ONES.get(d, 10) < 10)
    return float(f"{total + group}.{fraction or 0}")
