"""Answers whose meaning is known because they are composed from it: 1,500 by one seed.

Each is a kind of answer in a phrasing, a decoration, a language, after thoughts or none, beside
something that is not the answer. What it means follows from `docs/reading.md`, not from a reader.
`python -m tests.reading.test_intended_answers` prints what the readers make of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.reading.intended import Intended, Rng
from tests.reading.intended_places_and_plans import (
    actions_answer,
    boxes_answer,
    points_answer,
    skills_answer,
)
from tests.reading.intended_words import letter_answer, number_answer

COUNTS = {"letter": 450, "number": 450, "points": 250, "boxes": 100, "actions": 130, "skills": 120}
_MAKERS: dict[str, Callable[[Rng], Intended]] = {
    "letter": letter_answer,
    "number": number_answer,
    "points": points_answer,
    "boxes": boxes_answer,
    "actions": actions_answer,
    "skills": skills_answer,
}


def intended_answers(seed: int = 0) -> Iterator[Intended]:
    """All of them, the kinds in turn."""
    for kind, count in COUNTS.items():
        rng = Rng(f"{seed} {kind}")
        for _ in range(count):
            yield _MAKERS[kind](rng)
