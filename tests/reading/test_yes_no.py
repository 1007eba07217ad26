"""Yes and no, however they are written."""

from __future__ import annotations

import pytest

from er_bench.core.answer import Status
from er_bench.reading.yes_no import read_yes_no


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Yes", "yes"),
        (" NO. ", "no"),
        ("**No**", "no"),
        ("Yes, it can fit there.", "yes"),
        ("No, it cannot; yes would be wrong.", "no"),
        ("No it would touch the wall", "no"),
        ("The answer is no.", "no"),
        ("Final answer: **Yes**", "yes"),
        ("I first thought no.\nyes", "yes"),
        ("<think>no</think> Yes", "yes"),
        ("<answer>no</answer>", "no"),
        ("It fits, so \\boxed{yes}", "yes"),
        ("Yes. Wait, no.", "no"),
        ("No doubt it fits: yes", "yes"),
        ("There is no space, but the answer is yes", "yes"),
        ("If yes, it would stand in the way, hence no", "no"),
        ("\u201cYes\u201d", "yes"),
    ],
)
def test_the_word_that_an_answer_settles_on(text: str, found: str) -> None:
    assert read_yes_no(text).value == found


@pytest.mark.parametrize("text", ["", "It fits.", "There is no space", "I know now", "yes-man"])
def test_what_says_neither_is_unread(text: str) -> None:
    assert read_yes_no(text).status is Status.UNPARSED


def test_both_words_without_a_choice_are_ambiguous() -> None:
    assert read_yes_no("It could be yes or no").status is Status.AMBIGUOUS
