"""Readers of CV-Bench's letters: the authors', and the one that MiMo-Embodied has for it.

None of them ever raises; the time is linear in the text.
"""

from __future__ import annotations

import re

from er_bench.core.answer import Answer

_SAYS = ("answer is", "answer is:", "answer:")
_AFTER_ANSWER = re.compile(r"(?i:answer):?\s*+\(?([A-Za-z])")
_ANY = re.compile("[A-Za-z]")


def read_cambrian(text: str, dropped: str = ".") -> Answer:
    """The character after the last "answer is" or "answer:", or the first of the text.

    Blanks around it, the signs `dropped` and a closing bracket at the end, and opening brackets
    before it do not count. "The answer is: B" reads a colon, which is no letter. Cambrian
    `eval/eval/{ade,coco}/*_test.py` `extract_mcq_answer`, commit 539ffc3.
    """
    said = text.lower().strip()
    for says in _SAYS:
        said = said.rpartition(says)[2]
    said = said.strip().rstrip(dropped).lstrip("(").rstrip(")")
    return _letter(said[:1])


def read_cambrian_3d(text: str) -> Answer:
    """The same, with a colon or a comma dropped from the end too: `omni/omni_test.py`."""
    return read_cambrian(text, ".:,")


def read_mimo(text: str) -> Answer:
    """The letter after the first "answer", of whatever word; else the first letter of the text.

    "The answer is B." reads I, "Both" reads B. MiMo-Embodied `lmms_eval/tasks/cvbench/utils.py`,
    commit 0bee4b6; the four patterns after the second are never reached.
    """
    found = _AFTER_ANSWER.search(text)
    if found is None and (first := _ANY.search(text)):
        return _letter(first[0])
    return _letter(found[1] if found else "")


def _letter(found: str) -> Answer:
    if found.isascii() and found.isalpha():
        return Answer(found.upper())
    return Answer.unparsed("the harness's reader finds no letter")
