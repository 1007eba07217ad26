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


class ChoiceTask(QuestionTask[Choice]):
    """A question whose answer is one letter: right or wrong."""

    released: ClassVar[tuple[Callable[[str], Answer], str, str]]
    """The released code's reader, what it does in a few words, and its source."""

    @cached_property
    def readings(self) -> Mapping[str, Reading[Choice]]:
        """The released reader, and the best one."""
        read, reader, source = self.released

        def official(sample: Sample[Choice], rollout: Rollout) -> Verdict:
            return judge_choice(read(rollout.completion.text), sample.target)

        def robust(sample: Sample[Choice], rollout: Rollout) -> Verdict:
            truth = sample.target
            return judge_choice(robust_letter(rollout.completion.text, truth), truth)

        rule = "right or wrong"
        return {
            OFFICIAL: Reading(reader, rule, source, official),
            ROBUST: Reading("the letter stated, however written", rule, "er-bench", robust),
        }

    def shown(self, sample: Sample[Choice]) -> Shown:
        """Question, options and the right letter."""
        return Shown(sample.text, sample.target.options, Truth(sample.target.letter))

    def truth_identity(self, sample: Sample[Choice]) -> object:
        """Letter and options."""
        return [sample.target.letter, dict(sample.target.options)]
