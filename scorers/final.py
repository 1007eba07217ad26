"""The part of a completion that is meant as the answer: thoughts, tags and boxes looked through."""

from __future__ import annotations

import re

_TAG = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_ANSWER = re.compile(r"<answer>((?:(?!<answer>|</answer>).)*)", re.DOTALL | re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_TEXT_MACRO = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")


def without_thoughts(text: str) -> str:
    """The text after its thoughts; empty when it never came out of them."""
    kept: list[str] = []
    at, thinking = 0, False
    for tag in _TAG.finditer(text):
        if tag[1]:
            kept = kept if thinking else []
            at, thinking = tag.end(), False
        elif not thinking:
            kept.append(text[at : tag.start()])
            thinking = True
    return "".join(kept if thinking else [*kept, text[at:]])


def final_answer(text: str) -> str:
    r"""The last `<answer>`, then the last `\boxed{}`, of what follows the thoughts."""
    text = without_thoughts(text)
    if found := [match for match in _ANSWER.findall(text) if match.strip()]:
        text = found[-1]
    if found := [match for match in _BOXED.findall(text) if match.strip()]:
        text = found[-1]
    return _TEXT_MACRO.sub(r"\1", text)
