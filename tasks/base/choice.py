"""What multiple-choice tasks share: the truth and two readings of a letter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from er_bench.core.answer import Answer
from er_bench.core.record import Shown, Truth
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Sample
from er_bench.core.score import Score, Verdict
from er_bench.core.task import OFFICIAL, ROBUST, QuestionTask, Reading
from er_bench.data.rows import Row
from er_bench.reading.letter import read_letter


@dataclass(frozen=True, slots=True)
class Choice:
    """The truth of a multiple-choice sample."""

    letter: str
    options: Mapping[str, str]
    """Text of each option by letter; empty where the row does not tell."""


def gold_letter(row: Row, field: str, letters: str) -> str:
    """The right letter of a row. Raises DataError when it is none of the options."""
    letter = row.text(field).strip().upper()
    if len(letter) != 1 or letter not in letters:
        raise row.error(f"expected one of {', '.join(letters)}, found {row.text(field)!r}", field)
    return letter


def judge_choice(answer: Answer, truth: Choice) -> Verdict:
    """Right or wrong."""
    why = "" if answer.value is None else f"says {answer.value}, the truth is {truth.letter}"
    return Verdict.of(answer, Score(float(answer.value == truth.letter), why=why))


def robust_letter(text: str, truth: Choice) -> Answer:
    """The letter that an answer settles on."""
    return read_letter(text, "".join(truth.options), truth.options)


RULE = "right or wrong"
LetterReader = tuple[Callable[[str], Answer], str, str]
"""A reader of a letter, what it does in a few words, and its source."""


def letter_reading(reader: LetterReader) -> Reading[Choice]:
    """Right or wrong, as a reader of letters has it."""
    read, words, source = reader

    def judge(sample: Sample[Choice], rollout: Rollout) -> Verdict:
        return judge_choice(read(rollout.completion.text), sample.target)

    return Reading(words, RULE, source, judge)


class ChoiceTask(QuestionTask[Choice]):
    """A question whose answer is one letter: right or wrong."""

    released: ClassVar[LetterReader]
    """The released code's reader."""
    neighbours: ClassVar[Mapping[str, LetterReader]] = {}
    """Readers of other harnesses, by the reading's name."""

    @cached_property
    def readings(self) -> Mapping[str, Reading[Choice]]:
        """The released reader, the best one, and those of other harnesses."""

        def robust(sample: Sample[Choice], rollout: Rollout) -> Verdict:
            truth = sample.target
            return judge_choice(robust_letter(rollout.completion.text, truth), truth)

        return {
            OFFICIAL: letter_reading(self.released),
            ROBUST: Reading("the letter stated, however written", RULE, "er-bench", robust),
            **{name: letter_reading(reader) for name, reader in self.neighbours.items()},
        }

    def shown(self, sample: Sample[Choice]) -> Shown:
        """Question, options and the right letter."""
        return Shown(sample.text, sample.target.options, Truth(sample.target.letter))

    def truth_identity(self, sample: Sample[Choice]) -> object:
        """Letter and options."""
        return [sample.target.letter, dict(sample.target.options)]
