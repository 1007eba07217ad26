"""An episode's verdict: a function of its rollout alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from er_bench.core.answer import Answer, Plan
from er_bench.core.errors import DataError
from er_bench.core.record import ELAPSED
from er_bench.core.rollout import Rollout, Turn
from er_bench.core.sample import Sample, T
from er_bench.core.score import Aggregate, Score, Scored, Verdict, mean, mean_of_samples
from er_bench.core.task import OFFICIAL, ROBUST, Reading
from er_bench.reading.action_plan import PlanReader, PlanReading, PlanStatus, read_robust
from er_bench.scorers.episode import Ending, PlannerCounts, StepResult, episode_parts

MEANS = (
    "task_progress",
    "task_progress_reached",
    "num_steps",
    "planner_steps",
    "num_invalid_actions",
    "num_invalid_action_ratio",
    "planner_output_error",
    "empty_plan",
    "robust_plan_parsed",
    "constrained_calls",
)


def episode_readings(read: PlanReader, source: str) -> Mapping[str, Reading[T]]:
    """The official and the robust reading of episodes that `read` has driven.

    They agree on the score; the robust one knows a plan also where only the best reader does.
    """

    def official(sample: Sample[T], rollout: Rollout) -> Verdict:
        return _verdict(sample.where, rollout, read, robust=False)

    def robust(sample: Sample[T], rollout: Rollout) -> Verdict:
        return _verdict(sample.where, rollout, read, robust=True)

    reader = read.__name__.replace("_", " ")
    rule = "success of the episode"
    return {
        OFFICIAL: Reading(reader, rule, source, official, success_and_means),
        ROBUST: Reading(reader, rule, "er-bench", robust, success_and_means),
    }


def _verdict(where: str, rollout: Rollout, read: PlanReader, *, robust: bool) -> Verdict:
    actions = rollout.start.actions if rollout.start else ()
    plans = [_plan(where, rollout, turn, read, actions) for turn in rollout.turns]
    steps = [step for turn in rollout.turns for step in turn.steps]
    unread = [plan.status is PlanStatus.INVALID for plan in plans]
    robust_plans = sum(
        lost and read_robust(turn.completion.text, actions).status is PlanStatus.OK
        for lost, turn in zip(unread, rollout.turns, strict=True)
    )
    counts = PlannerCounts(len(plans), sum(unread), sum(plan.output_error for plan in plans))
    results = [StepResult(s.valid, s.success, s.progress, s.reward) for s in steps]
    parts = episode_parts(results, counts, Ending(rollout.ending)) | {
        "robust_plan_parsed": float(robust_plans),
        "constrained_calls": float(sum(t.completion.constrained for t in rollout.turns)),
        ELAPSED: rollout.elapsed_s or 0.0,
    }
    why = f"{rollout.ending} after {len(steps)} steps and {len(plans)} plans"
    score = Score(parts["task_success"], parts, why)
    if all(unread) and not (robust and robust_plans):
        return Verdict.of(Answer.unparsed("no plan could be read"), score)
    return Verdict.of(Answer(Plan(tuple(step.action_id for step in steps))), score)


def _plan(
    where: str, rollout: Rollout, turn: Turn, read: PlanReader, actions: Sequence[str]
) -> PlanReading:
    """The plan as read now. Raises DataError when it is not the one that was carried out."""
    plan = read(turn.completion.text, actions)
    taken = tuple(step.action_id for step in turn.steps)
    if not _carried_out(plan, taken, turn, rollout):
        raise DataError(
            f"the stored episode took actions {list(taken)}, the plan as read now asks for "
            f"{list(plan.action_ids)}; run the episode again",
            row=where,
        )
    return plan


def _carried_out(plan: PlanReading, taken: tuple[int, ...], turn: Turn, rollout: Rollout) -> bool:
    """Whether the steps of a turn are what the episode loop does with a plan."""
    last = turn is rollout.turns[-1]
    if plan.status is not PlanStatus.OK:
        ended_empty = last and rollout.ending == Ending.EMPTY_PLAN
        return not taken and (plan.status is PlanStatus.EMPTY) == ended_empty
    cut_short = last or not all(step.valid for step in turn.steps)
    whole = taken == plan.action_ids or (cut_short and bool(taken))
    return whole and plan.action_ids[: len(taken)] == taken


def success_and_means(scored: Sequence[Scored]) -> Aggregate:
    """Mean task success, and beside it what tells how the episodes went.

    Means over episodes under EmbodiedBench's names; the two rates are over the whole run.
    """
    made = mean_of_samples(scored)
    parts = [s.parts for s in scored]
    metrics = {name: mean([p[name] for p in parts if name in p]) for name in MEANS}
    steps, calls, invalid, errors = (
        sum(p.get(name, 0.0) for p in parts)
        for name in ("num_steps", "planner_steps", "num_invalid_actions", "planner_output_error")
    )
    unread = sum(p.get("num_unread_plans", 0.0) for p in parts)
    nothing = float("nan")
    metrics["invalid_action_rate"] = invalid / (steps + unread) if steps + unread else nothing
    metrics["output_error_rate"] = errors / calls if calls else nothing
    return Aggregate(made.score, made.categories, metrics)
