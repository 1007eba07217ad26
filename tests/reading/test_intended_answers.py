"""The robust readers on the 1,500 intended answers: each must be read as it is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from er_bench.core.answer import Plan
from er_bench.reading.action_plan import read_robust, read_strict
from er_bench.reading.coordinates import tuples
from er_bench.reading.letter import read_first_word, read_letter
from er_bench.reading.number import read_first_word as read_first_number
from er_bench.reading.number import read_number
from er_bench.reading.skill_plan import read_fenced_plan, read_plan
from er_bench.reading.tuples import Drawn, robopoint, tolerant
from tests.reading.intended import NOTHING, Intended
from tests.reading.intended_answers import COUNTS, intended_answers
from tests.reading.intended_places_and_plans import ACTIONS
from tests.reading.intended_words import LETTERS, OPTIONS

SIZE = (640, 480)
Read = Callable[[str], object]


def _drawn(drawn: Drawn | None) -> object:
    return (drawn.points_px_xy, drawn.boxes_px_xyxy) if drawn else ((), ())


def _steps(value: object) -> object:
    return list(value.steps) if isinstance(value, Plan) else NOTHING


def _or_nothing(value: object) -> object:
    return NOTHING if value is None else value


ROBUST: dict[str, Read] = {
    "letter": lambda text: _or_nothing(read_letter(text, LETTERS, OPTIONS).value),
    "number": lambda text: _or_nothing(read_number(text).value),
    "points": lambda text: _drawn(tolerant(text, SIZE)),
    "boxes": lambda text: _drawn(tolerant(text, SIZE)),
    "actions": lambda text: read_robust(text, ACTIONS).action_ids,
    "skills": lambda text: _steps(read_plan(text).value),
}
OFFICIAL: dict[str, Read] = {
    "letter": lambda text: _or_nothing(read_first_word(text).value),
    "number": lambda text: _or_nothing(read_first_number(text).value),
    "points": lambda text: _drawn(robopoint(tuples(text), SIZE)),
    "boxes": lambda text: _drawn(robopoint(tuples(text), SIZE)),
    "actions": lambda text: read_strict(text, ACTIONS).action_ids,
    "skills": lambda text: _steps(read_fenced_plan(text).value),
}
"""Of VSI-Bench, Where2Place, EmbodiedBench and VLABench."""


def misread(read: dict[str, Read], seed: int = 0) -> list[tuple[Intended, object]]:
    """The answers that are read as something else, and as what."""
    found = ((one, read[one.kind](one.text)) for one in intended_answers(seed))
    return [(one, value) for one, value in found if value != one.value]


@pytest.mark.parametrize("seed", [0, 1])
def test_every_answer_is_read_as_it_is_meant(seed: int) -> None:
    wrong = [(one.made_of, one.text, one.value, value) for one, value in misread(ROBUST, seed)]
    assert wrong == []


def test_there_are_1500_of_many_forms() -> None:
    made = list(intended_answers())
    assert Counter(one.kind for one in made) == COUNTS and len(made) == 1500
    assert len({one.text for one in made}) > 1200
    assert any(misread(OFFICIAL))


if __name__ == "__main__":
    for name, readers in (("robust", ROBUST), ("official", OFFICIAL)):
        missed = Counter(one.kind for one, _ in misread(readers))
        print(name, {kind: f"{1 - missed[kind] / n:.1%}" for kind, n in COUNTS.items()})
