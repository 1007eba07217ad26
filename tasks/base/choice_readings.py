"""Readings of a letter beside the released and the robust one: one reader each, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from er_bench.core.answer import Answer
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Sample
from er_bench.core.score import Aggregate, Scored, Verdict, mean_of_samples
from er_bench.core.task import Reading
from er_bench.reading import kit_letters
from er_bench.tasks.base.choice import Choice, judge_choice, robust_letter

Aggregation = Callable[[Sequence[Scored]], Aggregate]


def letter_reading(
    read: Callable[[str, Choice], Answer],
    reader: str,
    source: str,
    aggregate: Aggregation = mean_of_samples,
) -> Reading[Choice]:
    """A reading whose reader takes the text and the options; right or wrong."""

    def judge(sample: Sample[Choice], rollout: Rollout) -> Verdict:
        return judge_choice(read(rollout.completion.text, sample.target), sample.target)

    return Reading(reader, "right or wrong", source, judge, aggregate)


def robust_reading(aggregate: Aggregation = mean_of_samples) -> Reading[Choice]:
    """The letter that an answer settles on."""
    return letter_reading(
        robust_letter, "the letter stated, however written", "er-bench", aggregate
    )


def flagevalmm_reading() -> Reading[Choice]:
    """FlagEvalMM's reader of letters, and its mean over all questions."""
    return letter_reading(
        lambda text, _: kit_letters.read_last_cue(text),
        "the first capital after the last cue",
        "FlagEvalMM flagevalmm/evaluator/pre_process.py, commit fef27ec",
    )
