"""The numbers of an episode."""

from __future__ import annotations

import pytest

from er_bench.scorers.episode import Ending, PlannerCounts, StepResult, episode_parts

OK, FAILED = StepResult(True, False, 0.5, 1.0), StepResult(False, False, 0.5, -0.1)


def test_the_numbers_of_an_episode() -> None:
    done = StepResult(True, True, 1.0, 5.0)
    parts = episode_parts([OK, FAILED, done], PlannerCounts(3, 1, 1), Ending.SUCCESS)
    assert parts["task_success"] == parts["task_progress"] == 1.0
    assert parts["num_steps"] == parts["planner_steps"] == 3
    assert parts["num_invalid_actions"] == 2
    assert parts["num_invalid_action_ratio"] == pytest.approx(2 / 3)
    assert parts["planner_output_error"] == 1
    assert parts["reward"] == pytest.approx((1.0 - 0.1 + 5.0 - 1.0) / 4)


@pytest.mark.parametrize("ending", [Ending.EMPTY_PLAN, Ending.INVALID_PLAN])
def test_the_released_code_forgets_the_progress_of_such_an_end(ending: Ending) -> None:
    parts = episode_parts([OK], PlannerCounts(2, 1, 1), ending)
    assert parts["task_progress"] == 0.0
    assert parts["task_progress_reached"] == 0.5
    assert parts["empty_plan"] == float(ending is Ending.EMPTY_PLAN)


def test_an_episode_without_a_step_has_numbers_too() -> None:
    parts = episode_parts([], PlannerCounts(1, 0, 0), Ending.EMPTY_PLAN)
    assert parts["num_invalid_action_ratio"] == 0.0 and parts["num_steps"] == 0.0
    assert "reward" not in parts


def test_a_simulator_without_rewards_gives_none() -> None:
    assert "reward" not in episode_parts(
        [StepResult(True, False, 0.0)], PlannerCounts(1, 0, 0), Ending.ENV_STEPS
    )
