"""Readers of EmbSpatial-Bench's letters: er-bench's strict one, and MiMo-Embodied's.

The authors released none. Neither ever raises; the time is linear in the text.
"""

from __future__ import annotations

import re

from er_bench.core.answer import Answer

_OPENING = re.compile(r"\s*+\(?([A-D])(?:[).:,]|\s*\Z)")
_BOXED = re.compile(r"\\boxed\{([^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+)\}")


def read_opening_option(text: str) -> Answer:
    """The capital A-D that opens the answer and stands alone: `B`, `(B)`, `B.`, `B: left`."""
    found = _OPENING.match(text)
    return Answer(found[1]) if found else Answer.unparsed("no option's letter opens the answer")


def read_boxed(text: str) -> Answer:
    r"""The whole of the last `\boxed{}`, or of the text without one, is the letter.

    Blanks, brackets and full stops count; case does not. MiMo-Embodied
    `lmms_eval/tasks/embspatialbench/utils.py` and `_task_utils/eval_utils.py`, commit 0bee4b6.
    """
    boxes = _BOXED.findall(text)
    said = boxes[-1] if boxes else text
    if len(said) == 1 and said.isascii() and said.isalpha():
        return Answer(said.upper())
    return Answer.unparsed("the harness's reader finds no letter")
