"""Readers of MindCube's letters: the released one, and PhysBrain's.

Source: mll-lab-nu/MindCube, commit 6d8fd9a, `src/evaluation/core/extractors.py` `extract_answer`.
"""

from __future__ import annotations

import re

from er_bench.core.answer import Answer

_IN_SECTION = (r"[Mm]y answer is ([A-E])", r"[Tt]he answer is ([A-E])", r"\b([A-E])\b")
_ANYWHERE = (
    r"(?:^|\n)(?:Answer: )?([A-E])(?:$|\s)",
    r"[*\"]([A-E])[*\"]",
    r"\bAnswer:?\s*([A-E])\b",
    r"[Mm]y answer is ([A-E])",
    r"answer is ([A-E])",
)


def read_released(text: str) -> Answer:
    """The last letter A-E before a full stop, wherever; else by patterns in a fixed order.

    The patterns are tried in the section `<Answer>` (so spelled, while the prompt asks for
    `<answer>`) and then in the whole answer, the last match of the first that matches; at last the
    first lone letter of the lowest line that has one. Released patterns that need a letter before a
    full stop are left out: they are tried when there is none.
    """
    if stopped := re.findall(r"([A-E])\.", text):
        return Answer(stopped[-1])
    section = re.search(r"<Answer>([^<]*)", text)
    if section and (found := _last(_IN_SECTION, section[1])):
        return Answer(found)
    if found := _last(_ANYWHERE, text):
        return Answer(found)
    for line in reversed(text.split("\n")):
        if lone := re.search(r"\b([A-E])\b", line):
            return Answer(lone[1])
    return Answer.unparsed("the released reader finds no letter")


def _last(patterns: tuple[str, ...], text: str) -> str:
    """The last match of the first pattern that matches at all; empty if none does."""
    for pattern in patterns:
        if found := re.findall(pattern, text):
            return str(found[-1])
    return ""


_LONE = (
    r"Answer[:\s]*\(?([A-D])\)?",
    r"^([A-D])\s*[.)]?$",
    r"\(([A-D])\)",
    r"\b([A-D])\b[.\s]*$",
    r"\b([A-D])\b",
)


def read_last_lone(text: str) -> Answer:
    """The last lone letter by five patterns of any case, so that the article is option A.

    PhysBrainEvalKit `benchmark/mindcube.py` `extract_answer_from_text`, commit c95d9ee.
    """
    found = _last(tuple(f"(?i){pattern}" for pattern in _LONE), text.strip())
    return Answer(found.upper()) if found else Answer.unparsed("the kit's reader finds no letter")
