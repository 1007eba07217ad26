"""The best reader of yes and no. It never raises; the time is linear in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from er_bench.core.answer import Answer, Status
from er_bench.reading.final_answer import corrected, correction, final_answer, supposed

_OPEN = r"""[\s*_`"'\u201c\u2018(\[{<:$.]{0,16}"""
_NO_NOUN = r"(?![ \t]+(?!(?:it|the|this|that|there|they|because|since|as|you|i)\b)[a-z])"
"""Not the "no" of "no space", which denies a thing and is no answer."""
_WORD = rf"(?<![\w'\u2019-])(?:(yes)|(no){_NO_NOUN})(?![\w'\u2019-])"
_STATED = re.compile(
    rf"(?i)\b(?:answer|conclusion|verdict)\b[*_]{{0,3}}(?:\s+is\b|\s*[:=]){_OPEN}{_WORD}"
)
_ALONE = re.compile(rf"(?im)^[^\w\n]{{0,16}}{_WORD}[^\w\n]{{0,16}}$")
_LEADING = re.compile(rf"(?i)^{_OPEN}{_WORD}")
_BARE = re.compile(rf"(?i){_WORD}")
_CORRECTION = correction(r"[\s*_`\"'(\[]{0,6}(?:yes|no)\b")
_RULES = (_STATED, _ALONE, _LEADING)


def read_yes_no(text: str) -> Answer:
    """`yes` or `no`, as the answer settles on it, however it is written.

    The last statement counts ("the answer is no"), then the last line that says nothing else, then
    the word that opens the answer, then the only one of the two that is said. Ambiguous when both
    are said and nothing chooses.
    """
    said = final_answer(text)
    later = corrected(said, _CORRECTION)
    if later is not None and (answer := _read(later)).status is Status.OK:
        return answer
    return _read(said)


def _read(text: str) -> Answer:
    for rule in _RULES:
        if found := list(_words(rule, text)):
            return Answer(found[-1])
    distinct = sorted(set(_words(_BARE, text)))
    if len(distinct) == 2:
        return Answer(None, Status.AMBIGUOUS, "says yes and no")
    return Answer(distinct[0]) if distinct else Answer.unparsed("neither yes nor no is said")


def _words(rule: re.Pattern[str], text: str) -> Iterator[str]:
    for match in rule.finditer(text):
        word = match[1] or match[2]
        if not supposed(text, match.end() - len(word)):
            yield word.lower()
