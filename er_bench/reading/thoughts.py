"""What a completion says after its thoughts; every robust reader begins with it."""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = (
    r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|analysis|rationale|cot"
    r"|(?:inner_)?monologue)"
)
_MARK = re.compile(
    rf"<(?P<tag>/?)(?:\w{{1,12}}:)?{_WORDS}(?:\s[^<>]{{0,80}})?>"
    rf"|<\|(?P<piped>/?){_WORDS}\|>"
    r"|<\|(?P<cased>start|end)_thinking\|>"
    rf"|\[(?P<square>/?){_WORDS}\]"
    rf"|\u25c1(?P<arrow>/?){_WORDS}\u25b7"
    r"|<\|(?P<named>begin|end)_of_(?:thought|thinking)\|>"
    r"|<\|channel\|?>\s*(?P<channel>analysis|commentary|thought|final)\b(?:\s*<\|message\|>)?"
    r"|(?P<over><channel\|>|<\|end\|>)",
    re.IGNORECASE,
)
_FIRSTS = ("<", "[", "\u25c1")
"""What every mark of thoughts begins with."""
_CLOSING = frozenset(("/", "end", "final"))
_ANSWER = re.compile(r"<answer>((?:(?!<answer>|</answer>).)*)", re.DOTALL | re.IGNORECASE)
_LAST_TOKENS = ("<|return|>", "<|end|>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>")
_MOST_LAST_TOKENS = 3


def without_thoughts(text: str) -> str:
    """The text after its thoughts, whatever marks them; empty when it never came out of them.

    A closing mark without an opening one ends thoughts that began with the text; a block that is
    never closed goes on to the end.
    """
    if not any(first in text for first in _FIRSTS):
        return _without_last_tokens(text)
    kept: list[str] = []
    at, thinking = 0, False
    for mark in _MARK.finditer(text):
        if mark["over"]:
            if thinking:
                at, thinking = mark.end(), False
        elif any(mark[kind] and mark[kind].lower() in _CLOSING for kind in _KINDS):
            kept = kept if thinking else []
            at, thinking = mark.end(), False
        elif not thinking:
            kept.append(text[at : mark.start()])
            thinking = True
    return _without_last_tokens("".join(kept if thinking else [*kept, text[at:]]))


def _without_last_tokens(text: str) -> str:
    if not text.rstrip().endswith("|>"):
        return text
    for _ in range(_MOST_LAST_TOKENS):
        for token in _LAST_TOKENS:
            text = text.rstrip().removesuffix(token) if text.rstrip().endswith(token) else text
    return text


_KINDS = ("tag", "piped", "cased", "square", "arrow", "named", "channel")


@lru_cache(maxsize=4)
def after_thinking(text: str) -> str:
    """What follows the thoughts: the last `<answer>` there that says anything, else all of it.

    Remembered for a moment: the readings of an answer ask one after the other.
    """
    text = without_thoughts(text)
    if "<" not in text:
        return text
    found = [match for match in _ANSWER.findall(text) if match.strip()]
    return found[-1] if found else text
