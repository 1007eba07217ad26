"""Readings over both kinds of question: yes or no, and points; and their totals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from er_bench.core.answer import Answer
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Sample
from er_bench.core.score import Aggregate, Score, Scored, Verdict, mean, mean_of_samples
from er_bench.core.task import Reading
from er_bench.tasks.base.region_readings import micro_f1
from er_bench.tasks.robospatial_home.rows import Target

YES_NO = ("compatibility", "configuration")


def with_yes_no(
    places: Reading[Target],
    read: Callable[[str], Answer],
    reader: str,
    aggregate: Callable[[Sequence[Scored]], Aggregate] | None = None,
) -> Reading[Target]:
    """A reading of points that reads the yes-or-no questions as well."""

    def judge(sample: Sample[Target], rollout: Rollout) -> Verdict:
        truth = sample.target.truth
        if not isinstance(truth, str):
            return places.judge(sample, rollout)
        answer = read(rollout.completion.text)
        why = "" if answer.value is None else f"says {answer.value}, the truth is {truth}"
        return Verdict.of(answer, Score(float(answer.value == truth), why=why))

    return replace(
        places,
        reader=f"{reader}; {places.reader}",
        rule=f"yes or no right or wrong; {places.rule}",
        judge=judge,
        aggregate=aggregate or over_all,
    )


def over_all(scored: Sequence[Scored]) -> Aggregate:
    """The mean over all questions; by category; of yes or no, and of the three categories.

    `category_mean` is what the README of RoboSpatial-Eval prints as "Total" beside the code's.
    """
    return _with_metrics(mean_of_samples(scored), scored)


def over_all_f1(scored: Sequence[Scored]) -> Aggregate:
    """The pooled F1 of the context questions stands for each of them in the mean over all."""
    places = [one for one in scored if "points" in one.parts]
    others = [one.score or 0.0 for one in scored if "points" not in one.parts]
    made = mean_of_samples(scored)
    f1 = [micro_f1(places).score] * len(places)
    pooled = {"context": f1[0]} if places else {}
    return _with_metrics(Aggregate(mean([*f1, *others]), {**made.categories, **pooled}), scored)


def _with_metrics(made: Aggregate, scored: Sequence[Scored]) -> Aggregate:
    metrics = {
        "yes_no": mean([s.score for s in scored if s.category in YES_NO and s.score is not None]),
        "category_mean": mean(list(made.categories.values())),
    }
    return Aggregate(made.score, made.categories, metrics)
