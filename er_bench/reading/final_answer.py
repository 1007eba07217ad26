"""The part of a completion that is meant as the answer: thoughts, tags and boxes looked through."""

from __future__ import annotations

import re

from er_bench.reading.thoughts import after_thinking

_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_TEXT_MACRO = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")


def final_answer(text: str) -> str:
    r"""The last `<answer>`, then the last `\boxed{}`, of what follows the thoughts."""
    text = after_thinking(text)
    if found := [match for match in _BOXED.findall(text) if match.strip()]:
        text = found[-1]
    return _TEXT_MACRO.sub(r"\1", text)
