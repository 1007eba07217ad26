"""Readers of option letters as evaluation kits have them, for the readings named after the kits.

Each takes the text of a completion and returns an `Answer` whose value is one capital letter.
None ever raises. Their oddities are kept: a reading is there to show what they cost.
"""

from __future__ import annotations

import re

from er_bench.core.answer import Answer

_NOTHING = "the kit's reader finds no letter"


def _letter(found: str) -> Answer:
    return Answer(found.upper()) if found else Answer.unparsed(_NOTHING)


_LEADING = re.compile(r"[(\s]*([A-Za-z])")


def read_leading(text: str) -> Answer:
    """The first character, brackets aside, if it is a letter: "The answer is B" is T.

    lmms-eval `blink/utils.py` `_extract_answer_letter`, commit 75571cf; its pattern ignores case.
    """
    found = _LEADING.match(text.strip())
    return _letter(found[1] if found else "")


def read_first_word_of_plain(text: str) -> Answer:
    """The first word once all punctuation is gone, if it is one letter of either case.

    lmms-eval `sat/utils.py` `MultiChoiceRegexFilter` and its exact match, commit 75571cf. Its look
    for options in the question never finds any: they are listed elsewhere.
    """
    word = re.sub(r"[^\w\s]", "", text).strip().split(" ")[0]
    return _letter(word if re.fullmatch("[A-Za-z]", word) else "")


_CUES = (
    "boxed|Answer:|Answer is|answer is|option is|Correct option|correct option|Answer|answer|"
    "\u6545\u9009|\u9009\u62e9|\u6b63\u786e\u9009\u9879\u4e3a|\u7b54\u6848\u9009|"
    "\u7b54\u6848\u4e3a|\u7b54\u6848\u662f|\u56e0\u6b64|\u7b54\u6848"
).split("|")
_DROPPED = ("The", "If", "[INST]", "[/INST]", "<Img>", "</Img>")


def read_last_cue(text: str) -> Answer:
    """The first capital after the last of the first cue that is there, or of the whole answer.

    Before that "The", "If" and, by a slip in a pattern, every capital I, N, S and T are deleted.
    "Depth says B" is therefore D. FlagEvalMM `pre_process.py` `process_multiple_choice` and
    `base_evaluator.py` `evaluate_multiple_choice`, commit fef27ec.
    """
    if len(text) == 1:
        return _letter(text.upper() if text.isascii() and text.isalpha() else "")
    for pattern in _DROPPED:
        text = re.sub(pattern, "", text)
    text = text.strip()
    if stated := re.match(r"([A-Z])\.", text):
        return _letter(stated[1])
    cue = next((cue for cue in _CUES if cue in text), None)
    found = re.search("[A-Z]", text.rpartition(cue)[2] if cue else text)
    return _letter(found.group() if found else "")


_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")


def read_last_box(text: str) -> Answer:
    r"""What stands in the last `\boxed{}`, else the whole answer, if it is one letter.

    MiMo-Embodied `_task_utils/eval_utils.py` `extract_final_boxed_content`, commit 0bee4b6.
    """
    boxes = _BOXED.findall(text)
    said = boxes[-1] if boxes else text
    return _letter(said if re.fullmatch("[A-Za-z]", said) else "")


def _last(patterns: tuple[str, ...], text: str) -> str:
    """The last match of the first pattern that matches at all, whatever the case."""
    for pattern in patterns:
        if found := re.findall(pattern, text, re.IGNORECASE):
            return str(found[-1])
    return ""


def read_last_bracketed(text: str) -> Answer:
    """The last `Answer: (X)`, else the last `(X)`, else a lone letter of a short answer.

    PhysBrainEvalKit `benchmark/blink.py` `extract_answer_from_text`, commit c95d9ee.
    """
    text = text.strip()
    if found := _last((r"Answer[:\s]*\(([A-L])\)", r"\(([A-L])\)"), text):
        return _letter(found)
    lone = re.search(r"\b([A-L])\b", text, re.IGNORECASE) if len(text) < 10 else None
    return _letter(lone[1] if lone else "")


def read_last_lone(text: str) -> Answer:
    """The last lone letter by five patterns of any case, so that the article is option A.

    PhysBrainEvalKit `benchmark/mindcube.py` `extract_answer_from_text`, commit c95d9ee.
    """
    patterns = (
        r"Answer[:\s]*\(?([A-D])\)?",
        r"^([A-D])\s*[.)]?$",
        r"\(([A-D])\)",
        r"\b([A-D])\b[.\s]*$",
        r"\b([A-D])\b",
    )
    return _letter(_last(patterns, text.strip()))
