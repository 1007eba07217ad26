"""An episode's numbers (EmbodiedBench `evaluator/eb_alfred_evaluator.py`, commit b247936)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean


class Ending(StrEnum):
    """What ended an episode."""

    SUCCESS = "success"
    SIMULATOR = "simulator"
    ENV_STEPS = "env_steps"
    INVALID_ACTIONS = "invalid_actions"
    INVALID_PLAN = "invalid_plan"
    """The limit of invalid actions was reached by a plan that could not be read."""
    EMPTY_PLAN = "empty_plan"


@dataclass(frozen=True, slots=True)
class StepResult:
    """What the numbers need of one environment step."""

    valid: bool
    success: bool
    progress: float
    reward: float | None = None


@dataclass(frozen=True, slots=True)
class PlannerCounts:
    """How the planner's calls went."""

    calls: int
    unread: int
    """Plans that could not be read, or whose first action does not exist."""
    output_errors: int
    """Texts that were no plan at all."""


def episode_parts(
    steps: Sequence[StepResult], planner: PlannerCounts, ending: Ending
) -> dict[str, float]:
    """An episode's numbers under EmbodiedBench's names (`eb_alfred_evaluator.py` evaluate()).

    `task_progress` is the released value, 0 where an empty or unreadable plan ended the episode;
    `task_progress_reached` is the last step's. `reward` is left out when the simulator has none.
    """
    last = steps[-1] if steps else StepResult(True, False, 0.0)
    zeroed = ending in (Ending.EMPTY_PLAN, Ending.INVALID_PLAN)
    invalid = planner.unread + sum(not step.valid for step in steps)
    parts = {
        "task_success": float(last.success and not zeroed),
        "task_progress": 0.0 if zeroed else last.progress,
        "task_progress_reached": last.progress,
        "num_steps": float(len(steps)),
        "planner_steps": float(planner.calls),
        "planner_output_error": float(planner.output_errors),
        "num_invalid_actions": float(invalid),
        "num_unread_plans": float(planner.unread),
        "num_invalid_action_ratio": invalid / len(steps) if steps else 0.0,
        "empty_plan": float(ending is Ending.EMPTY_PLAN),
    }
    rewards = [step.reward for step in steps if step.reward is not None]
    if len(rewards) == len(steps) and rewards + [-1.0] * planner.unread:
        parts["reward"] = fmean(rewards + [-1.0] * planner.unread)
    return parts
