"""Readers of option letters as other harnesses have them; none of them ever raises.

Each is as its source reads, faults included, so that a number made there can be made again from the
same answers. Patterns are written so that the time is linear in the text.
"""
# ruff: noqa: RUF001 (full-width signs are what answers have)

from __future__ import annotations

import re
from collections.abc import Iterator

from er_bench.core.answer import Answer
from er_bench.reading.letter import first_capital_after

NONE = "the harness's reader finds no letter"


def _letter(found: str | None) -> Answer:
    return Answer(found.upper()) if found else Answer.unparsed(NONE)


_LMMS_THOUGHTS = (("<think>", "</think>"), ("<analysis>", "</analysis>"))


def without_think(text: str) -> str:
    """What lmms-eval gives to any scorer: the text without thoughts and blanks at its ends.

    A closing mark without an opening one ends thoughts that the prompt began. lmms-eval 0.7.3
    `api/reasoning.py` `strip_reasoning_tags`, with the tags that `--reasoning_tags` has by default.
    """
    for begin, end in _LMMS_THOUGHTS:
        text = _without_blocks(text, begin, end)
        if begin not in text:
            text = text.rpartition(end)[2]
    return text.strip()


def _without_blocks(text: str, begin: str, end: str) -> str:
    kept, at = [], 0
    while (start := text.find(begin, at)) >= 0 and (stop := text.find(end, start)) >= 0:
        kept.append(text[at:start])
        at = stop + len(end)
    return "".join([*kept, text[at:]])


def read_opening_letter(text: str) -> Answer:
    """The first character after brackets and blanks, whatever word it begins.

    lmms-eval 0.7.2 `tasks/erqa/utils.py`: "The answer is B." reads T.
    """
    found = re.match(r"[\(\s]*+([A-Za-z])", text)
    return _letter(found and found[1])


def read_exact(text: str) -> Answer:
    """The whole answer but for blanks and case; a full stop is not dropped.

    VLMEvalKit `vlmeval/dataset/erqa.py`, commit e8e78f05.
    """
    text = text.strip()
    return _letter(text if len(text) == 1 and text.isascii() and text.isalpha() else None)


_LMMS_EGOPLAN2 = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option isThe correct option is",
    "Best answer:Best option:",
)


def read_lmms_egoplan2(text: str) -> Answer:
    """The first capital A-D after fewer phrases are deleted than in the released code.

    `Answer: B` reads A, of "Answer". lmms-eval `tasks/egoplan2/utils.py`, commit 75571cfe.
    """
    return first_capital_after(_LMMS_EGOPLAN2, text)


def read_lmms_mmsi(text: str) -> Answer:
    """Within backticks, then braces; then the first lone A-F of either case that no word follows.

    lmms-eval `tasks/mmsi_bench/utils.py`, commit 75571cfe: "I'd. C" reads D.
    """
    for fence in ("``([^`]*)``", "`([^`]*)`", r"\{([^{}]*)\}"):
        if found := re.search(fence, text):
            text = found[1]
    lone = re.search(r"\b[A-Fa-f]\b(?!\s[a-zA-Z])", text)
    return _letter(lone and lone[0])


_BOXED = re.compile(r"\\boxed\{([^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+)\}")


def read_boxed(text: str) -> Answer:
    r"""The whole of the last `\boxed{}`, or of the text without one, is the letter.

    Brackets and full stops count; case and blanks at the ends do not. MiMo-Embodied
    `lmms_eval/tasks/_task_utils/eval_utils.py` `extract_final_boxed_content`, then
    `lmms_eval/api/task.py` `process_results`, lines 1414-1416, commit 0bee4b6.
    """
    boxes = _BOXED.findall(text)
    said = (boxes[-1] if boxes else text).strip()
    return _letter(said if len(said) == 1 and said.isascii() and said.isalpha() else None)


_ANSWER_IN_BRACKETS = re.compile(r"(?i:answer)[:\s]*+\(([A-La-l])\)")
_IN_BRACKETS = re.compile(r"\(([A-La-l])\)")
_LONE_OF_SHORT = re.compile(r"\b([A-La-l])\b")
SHORT = 10
"""PhysBrainEvalKit looks for a letter without brackets in shorter answers only."""


def read_last_in_brackets(text: str) -> Answer:
    """The last `(A)` after "answer", else the last one; a lone letter in a short answer.

    "The answer is B." is too long to be read. PhysBrainEvalKit `benchmark/cvbench.py` and
    `benchmark/blink.py`, commit c95d9ee.
    """
    text = text.strip()
    for form in (_ANSWER_IN_BRACKETS, _IN_BRACKETS):
        if found := form.findall(text):
            return _letter(found[-1])
    lone = _LONE_OF_SHORT.search(text) if len(text) < SHORT else None
    return _letter(lone and lone[1])


# --- lmms-eval's shared reader ------------------------------------------------------------------

_EDGES = (",", ".", "!", "?", ";", ":", "'", '"')
_SAYS = (
    *("the answer is", "answer is", "the correct answer is", "correct answer is"),
    *("the best answer is", "best answer is", "the correct option is", "correct option is"),
    *("the best option is", "best option is", "the choice is", "choice is"),
    *("the correct choice is", "correct choice is", "i choose", "i select", "i pick"),
    *("my answer is", "my choice is", "옵션", "정답은", "답은", "답:"),
    *("答案是", "答案为", "选", "答えは"),
)


def read_lmms_choice(text: str, letters: str = "ABCD") -> Answer:
    """The candidate of the best form, the last of its form; capitals only, in words too.

    Forms, best first: at the start, at the end, after "the answer is" and its like, `(A)`, `A.`,
    `A:`, `A)`, `A ` followed by a blank; else anywhere. lmms-eval 0.7.3
    `tasks/_task_utils/mcq_extract.py`: "Both" reads B.
    """
    core = text.strip()
    for edge in _EDGES:
        core = core.strip(edge)
    padded = f" {core} "
    best = max(_candidates(padded, letters), default=None)
    return _letter(best[2] if best else None)


def _candidates(padded: str, letters: str) -> Iterator[tuple[int, int, str]]:
    """Rank of the form, position and letter."""
    core, lowered = padded.strip(), padded.lower()
    starts = [at + len(says) for says in _SAYS if (at := lowered.find(says)) >= 0]
    for letter in letters:
        if core.startswith(letter) and not core[1:2].isalpha():
            yield 10, 0, letter
        if core.endswith(letter) and not core[-2:-1].isalpha():
            yield 9, len(padded), letter
        for start in starts:
            if (at := padded.find(letter, start)) >= 0:
                yield 7, at, letter
        if letter not in padded:
            continue
        for rank, form in ((6, "({})"), (5, "{}."), (4, "{}:"), (3, "{})"), (2, "{} "), (0, "{}")):
            if (at := padded.rfind(form.format(letter))) >= 0:
                yield rank, at, letter


# --- VLMEvalKit's and EASI's reader of spatial benchmarks -----------------------------------------

INVISIBLE = re.compile("[\u200b\u200c\u200d\ufeff]")
_BLOCK = re.compile(r"<\s*+answer\b[^>]{0,200}+>\s*+([A-Ja-j])(?![A-Za-z]*+[A-Za-z]{2})?", re.I)
_CLOSED = re.compile(r"<\s*+/\s*+answer\s*+>", re.I)
_BEFORE_CLOSE = tuple(
    re.compile(rf"(?<![A-Za-z])([A-F])\s*+[)\]}}）】]?+\s*+<\s*+/\s*+{tag}\s*+>", re.I)
    for tag in ("answer", "think")
)
_THINK = re.compile(r"<\s*+(/?)\s*+think\s*+>", re.I)
_LISTED = re.compile(r"[*_>\-\s]*+(?:option|选项)\s++[A-J]\s*+[:：]", re.I)
_ALONE = re.compile(r"[*_`>（）\[\]【】()]*+\s*+([A-Fa-f])\s*+[*_`（）\[\]【】()]*+")
_LABEL = re.compile(r"([A-F])\s*+[.．:：)\]】、-]\s", re.I)
_INLINE = re.compile(
    r"(?<![A-Za-z])([A-F])(?=[*_`）\]})]*+(?:$|[\s.,:;!?)\]】》」』，。；、：）]))"
)
_SAID = re.compile(
    r"(?:final\s*+answer|the\s*+answer\s*+is|answer\s*+is|answer|correct\s*+answer"
    r"|答案|结论|所以|因此|我选择|我选|选择|选)"
    r"\s*+[:：>＝=]?+\s*+[(\[{（【]?+\s*+([A-F])\s*+[)\]}）】]?(?:\b|[.)、。])",
    re.I,
)
_LONE = re.compile(r"(?<![A-Za-z])([A-F])(?![A-Za-z])")
TAIL_LINES, TAIL_CHARS = 6, 800


def read_spatial_choice(text: str) -> Answer:
    """The first of seven rules that finds a letter.

    An answer block; a letter before its end or the thoughts'; the last six lines after the
    thoughts, then of the last 800 characters; a phrase; the only letter of the text.
    VLMEvalKit and EASI `spatial_bench` `can_match_option`, VLMEvalKit commit e8e78f05.
    """
    text = text.strip()
    text = text if text.isascii() else INVISIBLE.sub("", text)
    tail = text[-TAIL_CHARS:]
    return _letter(
        _in_block(text)
        or next((m[1] for p in _BEFORE_CLOSE if (m := p.search(tail))), None)
        or _of_lines(after_think(text))
        or _of_lines(tail)
        or _said(text)
        or _only(line for line in text.splitlines() if not _LISTED.match(line))
    )


def after_think(text: str) -> str:
    """What follows the last end of thoughts, else the last begin of them, else all."""
    marks = list(_THINK.finditer(text))
    ends = [mark for mark in marks if mark[1]] or marks
    return text[ends[-1].end() :].strip() if ends else text


def _in_block(text: str) -> str | None:
    closes = [mark.start() for mark in _CLOSED.finditer(text)]
    for found in _BLOCK.finditer(text):
        if closes and found.end(1) <= closes[-1]:
            return found[1]
    return None


def _of_lines(text: str) -> str | None:
    for line in reversed([line.strip() for line in text.splitlines()[-TAIL_LINES:]]):
        if not line or _LISTED.match(line):
            continue
        if found := _ALONE.fullmatch(line) or _LABEL.match(line):
            return str(found[1])
        letters: set[str] = set(_INLINE.findall(line))
        if len(letters) == 1:
            return letters.pop()
    return None


def _said(text: str) -> str | None:
    found = _SAID.search(text)
    return str(found[1]) if found else None


def _only(lines: Iterator[str]) -> str | None:
    letters = {letter for line in lines for letter in _LONE.findall(line)}
    return letters.pop() if len(letters) == 1 else None


# --- FlagEvalMM ---------------------------------------------------------------------------------

_KEYS = (
    *("boxed", "Answer:", "Answer is", "answer is", "option is", "Correct option"),
    *("correct option", "Answer", "answer", "故选", "选择", "正确选项为", "答案选", "答案为"),
    *("答案是", "因此", "答案"),
)
_SIGNS = re.compile(r"[-`\\【】*$、,，。.；;:：？?！!\s\u4e00-\u9fff0-9①-⑦\[\]<>a-z='\"(){}]+")


def read_flageval_choice(text: str) -> Answer:
    """A single letter, one before a full stop at the start, or the first capital that is left.

    What is left is what follows the last key word, small letters and signs being deleted. Before
    that "The", "If" and the letters I, N, S, T and / are deleted, for a pattern that was meant as a
    word is a set of characters. FlagEvalMM `process_multiple_choice`, commit fef27ec6.
    """
    if len(text) == 1 and text.isascii() and text.isalpha():
        return _letter(text)
    text = re.sub("[INST/]", "", text.replace("The", "").replace("If", ""))
    text = text.replace("<mg>", "").strip()
    if found := re.match(r"([A-Z])\.", text):
        return _letter(found[1])
    key = next((key for key in _KEYS if key in text), None)
    rest = _SIGNS.sub("", text.rpartition(key)[2] if key else text)
    capital = re.search("[A-Z]", rest)
    return _letter(capital and capital[0])
