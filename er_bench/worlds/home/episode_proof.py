"""Proof that an episode is what it claims to be: solvable, not by accident, and only by looking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from er_bench.core.environment import EpisodeLimits
from er_bench.worlds.home.skills import conditions, start
from er_bench.worlds.home.world import Json

MAX_STEPS = EpisodeLimits().env_steps


@dataclass(frozen=True, slots=True)
class Done:
    """What one action of a plan came to."""

    valid: bool
    feedback: str
    success: bool


def run(spec: Json, plan: Sequence[str]) -> Iterator[Done]:
    """Do a plan on a fresh world, past failures and past success."""
    skills = start(spec)
    for name in plan:
        valid, feedback = skills.step(name)
        met, total = conditions(spec, skills)
        yield Done(valid, feedback, met == total)


def fault(spec: Json) -> str:
    """What is wrong with an episode that carries its plan; empty when nothing is.

    Its plan has at most 30 steps, each valid, with success at the last and not before. Without
    its key step there is no success. Each of its mistaken plans, right for another thing that the
    words could mean, is as valid, is told the same and brings no success: text alone cannot tell.
    """
    skills = start(spec)
    met, total = conditions(spec, skills)
    plan, key = spec["plan"], spec["key_step"]
    done = list(run(spec, plan))
    if met == total or len(plan) > MAX_STEPS or not all(d.valid for d in done):
        return "the plan cannot be done, or need not"
    if [d.success for d in done] != [False] * (len(plan) - 1) + [True]:
        return "success does not come exactly with the last step"
    if any(d.success for d in run(spec, [*plan[:key], *plan[key + 1 :]])):
        return "the key step is not needed"
    for mistaken in spec["mistaken_plans"]:
        told = list(run(spec, mistaken))
        if any(d.success for d in told) or not all(d.valid for d in told):
            return "the feedback tells which thing is meant"
    return ""
