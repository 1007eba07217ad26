"""What multiple-choice tasks share: the truth, two readings, and what reference models ask for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from er_bench.core.answer import Answer, Value
from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect
from er_bench.core.sample import Sample
from er_bench.core.score import Score
from er_bench.core.task import Judgement, QuestionTask
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


class ChoiceTask(QuestionTask):
    """A question whose answer is one letter: right or wrong, read twice."""

    @abstractmethod
    def read_official(self, text: str) -> Answer:
        """The letter that the benchmark's released code reads."""

    def judge(self, sample: Sample, completion: Completion, dialect: AnyDialect) -> Judgement:
        """Compare the letter with the truth."""
        return judge_choice(sample.target, self.read_official(completion.text), completion.text)

    def truth_identity(self, sample: Sample) -> object:
        """Letter and options."""
        return [sample.target.letter, dict(sample.target.options)]

    def ideal(self, sample: Sample) -> Value:
        """The right letter."""
        letter: str = sample.target.letter
        return letter

    def write(self, value: Value, sample: Sample, dialect: AnyDialect) -> str:
        """The bare letter."""
        return str(value)

    def letters(self, sample: Sample) -> str:
        """The options' letters."""
        return "".join(sample.target.options)


def judge_choice(truth: Choice, official: Answer, text: str) -> Judgement:
    """Both readings of one answer, scored 0 or 1."""
    robust = read_letter(text, "".join(truth.options), truth.options)
    score = Score(float(official.value == truth.letter), float(robust.value == truth.letter))
    return Judgement(official, robust, score)
