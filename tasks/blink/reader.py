"""The released reader of BLINK, as far as it goes without a language model.

Source: zeyofu/BLINK_Benchmark, commit 2d6a779, `eval/test_benchmark.py` `analyze_answer`.
"""

from __future__ import annotations

import re

from er_bench.core.answer import Answer

_LEFT_TO_A_MODEL = "not one bracketed letter: the released code asks gpt-3.5-turbo, which is gone"


def read_released(text: str, letters: str) -> Answer:
    """A bare letter A-E, `(X)` alone, or the only `(X)` that stands between blanks.

    Where the last paragraph has exactly one it counts, else the whole answer must have one. `(B).`
    is none: blanks must be around it. A bare letter may be one that is no option.
    """
    if re.fullmatch(r"[A-E]|\([A-E]\)", text):
        return Answer(text.strip("()"))
    whole, last = (_bracketed(part, letters) for part in (text, text.split("\n\n")[-1]))
    for found in (last, whole):
        if len(found) == 1:
            return Answer(found.pop())
    return Answer.unparsed(_LEFT_TO_A_MODEL)


def _bracketed(text: str, letters: str) -> set[str]:
    return {word[1] for word in text.split() if re.fullmatch(rf"\([{letters}]\)", word)}
