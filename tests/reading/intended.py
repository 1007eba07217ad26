"""One answer whose meaning is known, and the thoughts that may stand around it."""

from __future__ import annotations

import random
from dataclasses import dataclass

NOTHING = "nothing"
"""What an answer means that states no value, or several that fit equally well."""
Rng = random.Random


@dataclass(frozen=True, slots=True)
class Intended:
    """A text and its value: a letter, a number, tuples of pixels, ids, steps, or `NOTHING`."""

    kind: str
    text: str
    value: object
    made_of: str
    """The form and the thoughts, to find a reader's fault by."""


THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>\n"),
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|begin_of_thought|>", "<|end_of_thought|>\n"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("", "</think>\n\n"),
)


def after_thoughts(rng: Rng, text: str, draft: str) -> tuple[str, str]:
    """The text after thoughts that hold a draft, within `<answer>`, or as it is."""
    choice = rng.randrange(6)
    if choice == 0:
        return f"<answer>{text}</answer>", "answer tag"
    if choice in (1, 2):
        opening, closing = rng.choice(THOUGHTS)
        return f"{opening}Perhaps {draft}. Let me look again.{closing}{text}", opening or closing
    if choice == 3:
        return f"{text}\n<think>Was it {draft}", "thoughts that never end"
    return text, "no thoughts"


def made(rng: Rng, kind: str, form: str, text: str, value: object, draft: str) -> Intended:
    said, thoughts = after_thoughts(rng, text, draft)
    return Intended(kind, said, value, f"{form}; {thoughts}")
