"""Readers of numbers: one as VSI-Bench released it, and the best one we can write.

Each takes the text of a completion and returns an `Answer` whose value is a float; none raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from er_bench.core.answer import Answer, Status
from er_bench.reading.cues import Cue, plain
from er_bench.reading.figures import han_numbers, plain_figures
from er_bench.reading.final_answer import (
    CJK,
    corrected,
    correction,
    final_answer,
    supposed,
    without_boxes,
)

Found = tuple[int, int, float]
"""Where a number begins and ends in a text, and its value."""


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
    rf"(?<![^\W{CJK}])(?<![.\u7b2c])(?<![A-Za-z]-)(?:(?<!\d)[-\u2212+])?"
    r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:(?<=\d)\.\d*|\.\d+|(?<=\d))(?:[eE][-+]?\d+)?"
    r"(?!\d|(?:st|nd|rd|th|D)\b)"
)


_UNIT_WORD = (
    r"(?:(?:square|sq\.?|cubic)\s{1,3})?(?:m|cm|mm|km|ft|in|meters?|metres?|centimeters?"
    r"|centimetres?|feet|inch(?:es)?|square)\b(?:\^?[23]|[\u00b2\u00b3])?"
    r"|(?:\u5e73\u65b9)?[\u5398\u6beb\u5206\u516c]?\u7c73"
)
_UNIT = re.compile(rf"(?i)\s*(?:{_UNIT_WORD})")
_BETWEEN = rf"(?i)\s*(?:{_UNIT_WORD})?\s*"
_JOINED = re.compile(
    rf"{_BETWEEN}(?:[-\u2013\u2014~\uff5e,/x\u00d7*+\u00f7\u2192]|->|to|or|and|plus|minus|times|by"
    r"|[\u81f3\u5230\u6216\u548c])\s*"
)
_HEDGED = re.compile(
    r"(?i)(?:\s{1,3}[^\W\d]{1,16}){0,2}[,;.]?\s{0,3}\(?(?:or|but)?\s{0,3}"
    r"(?:maybe|perhaps|possibly|or|(?:it\s{1,3})?(?:could|might|may)\s{1,3}(?:also\s{1,3})?be)\s{1,3}"
)
_LONGEST_GAP = 64
_EQUALS = re.compile(
    rf"{_BETWEEN}(?:[=\u2248]|equals|is|are|makes|gives|\u7b49\u4e8e)\s*(?:about\s+)?"
)


_OPEN = (
    r"[\s*_:`\"'$(\[{]{0,16}(?:(?:about|around|approximately|roughly|exactly|just|probably|likely"
)
_OPEN += r"|clearly|therefore|either)\s+|[~\u7ea6]\s*|\u5927\u7ea6\s*){0,2}"
_ANSWER, _RESULT, _TOTAL = (
    re.compile(
        r"(?i)(?:\banswer\b[*_]{0,3}(?:\s+(?:is|would\s+be|should\s+be)\b|\s*[:=]){0,2}"
        rf"|(?:\u7b54\u6848|\u7ed3\u679c)(?:\u5e94\u8be5|\u5e94)?[\u662f\u4e3a]?){_OPEN}"
    ),
    re.compile(rf"(?i)(?:\d|\)|{_UNIT_WORD})\s{{0,3}}[=\u2248]{_OPEN}"),
    re.compile(
        r"(?i)(?:\b(?:total|sum|altogether|overall|count(?=\s{0,3}[:=])|in\s+all)\b[*_]{0,3}"
        r"(?:\s{1,3}(?:number|count|amount|area|length|distance)\b)?"
        r"(?:\s{1,3}of(?:\s{1,3}(?:the\s{1,3})?[a-z]{1,16}\b){0,2})?"
        r"(?:\s{0,3}[:=,]|\s{1,3}(?:is|are|there\s+are|i\s+(?:count|see|find))\b){0,3}"
        rf"|(?:\u603b\u5171|\u4e00\u5171|\u5171\u8ba1|\u603b\u8ba1|\u5408\u8ba1|\u603b\u6570|\u5171)"
        rf"[\u662f\u4e3a\u6709:]{{0,2}}){_OPEN}"
    ),
)
_CUES = (
    Cue(_ANSWER, ("answer",)),
    Cue(_RESULT, sign=re.compile("=")),
    Cue(_TOTAL, ("total", "sum", "altogether", "overall", "count", "in")),
)
"""What states a number: as the answer, as the result of a sum, as the total, in this order."""
_NAMED = Cue(re.compile(rf"[=\u2248]{_OPEN}"), ("=",))
_LISTED = re.compile(r"(?i)(?:\s{1,3}[^\W\d]{1,16}){1,3},?\s{1,3}(?:and|plus)\s{1,3}")
_TOTAL_AFTER = re.compile(
    r"(?i)(?:\s{1,3}[^\W\d]{1,16}){0,3},?\s{1,3}(?:in\s{1,3}(?:total|all)|altogether|overall)\b"
)


_DENIED = re.compile(
    r"(?i)(?:\b(?:not|(?:is|was|are)n['\u2019]t|rather\s{1,3}than|instead\s{1,3}of)\s{1,3}"
    r"(?:(?:exactly|just|about)\s{1,3})?|\u4e0d\u662f|\u5e76\u975e)[*_`\"'(]{0,4}$"
)
_MINUS = re.compile(r"(?i)(?:^|[^\d\s])\s{0,3}(?:\bminus\s{1,3}|\u8d1f)$")
_AND_A_HALF = re.compile(r"(?i)\s{1,3}and\s{1,3}a\s{1,3}half\b")
_CORRECTION = correction(
    rf"[*_(]{{0,4}}(?:[-+]?\d[\d.,]*+|(?:{_WORDS})\b)"
    r"(?:\s{1,3}(?!(?:is|are|was|were|has|have|of|in|on|at)\b)[^\W\d]{1,16}){0,2}\s{0,3}"
    r"(?:[.,;!\n\u3002]|$)"
)


def read_number(text: str) -> Answer:
    """The number that an answer settles on: figures or words, units and signs understood.

    The number stated as the answer counts, else the result of a sum, else the total, else the only
    number, else the one that opens the answer, else the last one that carries a unit of length. A
    range ("5-6"), a hedge and a text of several bare numbers are ambiguous; a number too large to
    hold is out of range. What is denied or only supposed is not read.
    """
    said, beside = final_answer(text), without_boxes(text)
    answer = _read_corrected(plain_figures(said))
    if answer.status is Status.UNPARSED and beside != said:
        outside = _read_corrected(plain_figures(beside))
        return outside if outside.status is Status.OK else answer
    return answer


def _read_corrected(text: str) -> Answer:
    if (later := corrected(text, _CORRECTION)) is not None:
        answer = _settled(later)
        if answer.status is Status.OK:
            return answer
    return _settled(text)


def _settled(text: str) -> Answer:
    found = [
        one
        for one in _numbers(text)
        if not _DENIED.search(text, max(0, one[0] - 24), one[0]) and not supposed(text, one[0])
    ]
    if not found:
        return Answer.unparsed("no number is stated")
    if all(value == found[0][2] for _, _, value in found):
        return _finite(found[0][2])
    answer, result, total = (list(_after(cue, text, found)) for cue in _CUES)
    in_total = [k for k, (_, end, _) in enumerate(found) if _TOTAL_AFTER.match(text, end)]
    if said := answer or result:
        return _followed(text, found, said[-1])
    if said := in_total or total:
        return _followed(text, found, said[-1], listed=True)
    named = list(_after(_NAMED, text, found))
    if len({found[k][2] for k in named}) == 1:
        return _followed(text, found, named[-1])
    if not text[: found[0][0]].strip(" \n\t*_`\"'~$(["):
        return _followed(text, found, 0)
    with_unit = [k for k, (_, end, _) in enumerate(found) if _UNIT.match(text, end)]
    if len({found[k][2] for k in with_unit}) == 1:
        return _followed(text, found, with_unit[-1])
    values = ", ".join(f"{value:g}" for _, _, value in found[:4])
    return Answer(None, Status.AMBIGUOUS, f"fits {values}")


def _after(cue: Cue, text: str, found: list[Found]) -> Iterator[int]:
    """Which numbers begin where a cue ends."""
    at = {start: k for k, (start, _, _) in enumerate(found)}
    ends = (match.end() for match in cue.finditer(text, plain(text)))
    yield from (at[end] for end in ends if end in at)


def _followed(text: str, found: list[Found], k: int, *, listed: bool = False) -> Answer:
    """Number `k`, or the result of the sum that it begins; ambiguous where it is one of several.

    `listed` says that a thing counted after it ("3 cups and 2 plates") is another of them.
    """

    def joins(form: re.Pattern[str], a: int) -> bool:
        begin, end = found[a][1], found[a + 1][0]
        return end - begin <= _LONGEST_GAP and form.fullmatch(text, begin, end) is not None

    first = k
    while k + 1 < len(found):
        if joins(_JOINED, k):
            k += 1
        elif k > first and joins(_EQUALS, k):
            first = k = k + 1
        else:
            break
    more = (_HEDGED, _LISTED) if listed else (_HEDGED,)
    if k == first and k + 1 < len(found) and any(joins(form, k) for form in more):
        k += 1
    if first and joins(_JOINED, first - 1):
        first -= 1
    values = list(dict.fromkeys(value for _, _, value in found[first : k + 1]))
    if len(values) > 1:
        return Answer(None, Status.AMBIGUOUS, "fits " + ", ".join(f"{v:g}" for v in values[:4]))
    return _finite(values[0])


def _finite(value: float) -> Answer:
    if math.isfinite(value):
        return Answer(value)
    return Answer(None, Status.OUT_OF_RANGE, "not a finite number")


def _numbers(text: str) -> list[Found]:
    """Start, end and value of each number, in order. Exponents of units (`m^2`) are left out."""
    found = []
    for match in _DIGITS.finditer(text):
        exponent = text.endswith("^", 0, match.start())
        if match.group().strip("+-\u2212") and not exponent:
            found.append((match.start(), match.end(), _value(match.group())))
    for start, end in _spelled_spans(text):
        if (value := _spelled(text[start:end].lower())) is not None:
            found.append((start, end, value))
    found.extend(han_numbers(text))
    return [_signed(text, *one) for one in sorted(found)]


def _signed(text: str, start: int, end: int, value: float) -> Found:
    """The same with what words add: "minus" before it, "and a half" behind it."""
    if half := _AND_A_HALF.match(text, end):
        end, value = half.end(), value + 0.5
    return start, end, -value if _MINUS.search(text, max(0, start - 16), start) else value


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
