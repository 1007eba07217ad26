"""The part of a completion that is meant as the answer: thoughts, tags and boxes looked through."""

from __future__ import annotations

import re

from er_bench.reading.thoughts import after_thinking

_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_TEXT_MACRO = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")


_CORRECTION = re.compile(
    r"(?i)\b(?:no,?\s{1,3}wait|wait,?\s{1,3}no|wait,?\s{1,3}actually|correction|scratch\s{1,3}that"
    r"|on\s{1,3}second\s{1,3}thought)\b[\s,.:;!-]{0,8}"
)


def corrected(text: str) -> str | None:
    """What follows the last words that take something back; None when there are none."""
    found = list(_CORRECTION.finditer(text))
    return text[found[-1].end() :] if found else None


def without_boxes(text: str) -> str:
    r"""What follows the thoughts, every `\boxed{}` cut out of it."""
    return _TEXT_MACRO.sub(r"\1", _BOXED.sub(" ", after_thinking(text)))


def final_answer(text: str) -> str:
    r"""The last `<answer>`, then the last `\boxed{}`, of what follows the thoughts."""
    text = after_thinking(text)
    if found := [match for match in _BOXED.findall(text) if match.strip()]:
        text = found[-1]
    return _TEXT_MACRO.sub(r"\1", text)
