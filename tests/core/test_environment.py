"""What an environment says is checked field by field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from er_bench.core.environment import EpisodeLimits, Skill, Started, Stepped
from er_bench.core.errors import EnvError
from er_bench.sim.checked import checked, checked_step

SPACE = {"names": ["x", "y"], "units": ["m", "m"], "frame": "the table"}
VECTORS: dict[str, Any] = {
    "instruction": "Go.", "action_space": SPACE, "state_space": SPACE, "state": np.zeros(2),
}  # fmt: skip
STEP: dict[str, Any] = {"valid": True, "feedback": "", "done": False, "state": np.zeros(2)}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"instruction": "Go."}, "neither actions nor an action_space"),
        ({"instruction": "Go.", "actions": ["a", "b", "a"]}, "two actions have the name 'a'"),
        ({**VECTORS, "actions": ["a"]}, "actions and an action_space"),
        ({**VECTORS, "state": np.zeros(3)}, r"state has shape \(3,\), its space \(2,\)"),
        ({**VECTORS, "state": None}, r"state has shape None, its space \(2,\)"),
        ({**VECTORS, "state_space": None}, r"state has shape \(2,\), its space None"),
        ({**VECTORS, "state": np.zeros(2, np.float32)}, r"field state: .*not float32 \(2,\)"),
        ({**VECTORS, "state": np.zeros((1, 2))}, r"field state: .*not float64 \(1, 2\)"),
        ({**VECTORS, "state": [0.0, 0.0]}, "field state: .*not list"),
        ({**VECTORS, "state": np.array([0.0, np.nan])}, "field state: .*component 1 is nan"),
        ({**VECTORS, "obs": {"top": np.zeros(2, np.float16)}}, "field obs.top: .*not float16"),
        ({**VECTORS, "obs": {"top": "png"}}, "field obs.top: .*not str"),
        ({**VECTORS, "obs": {"head_rgb": np.zeros((2, 2), np.uint8)}}, r"head_rgb is uint8 \(2, 2"),
        ({**VECTORS, "action_space": {**SPACE, "units": ["m"]}}, "units has 1 values for 2"),
        ({**VECTORS, "action_space": {**SPACE, "low": [0.0]}}, "low has 1 values for 2"),
        ({**VECTORS, "action_space": {**SPACE, "low": [0.0, "0"]}}, "action_space.low.1: "),
        ({**VECTORS, "action_space": {**SPACE, "low": [0, float("inf")]}}, "action_space.low.1: "),
        (
            {**VECTORS, "action_space": {**SPACE, "low": [2.0, 0.0], "high": [1.0, 1.0]}},
            "low is above its high",
        ),
        ({**VECTORS, "action_space": {**SPACE, "names": ["x", "x"]}}, "two names are the same"),
        ({**VECTORS, "action_space": {**SPACE, "names": []}}, "action_space.names: "),
        ({**VECTORS, "action_space": {**SPACE, "unit": "m"}}, "action_space.unit: Extra"),
    ],
)
def test_a_start_that_is_none_is_refused_with_the_field(fields: Any, words: str) -> None:
    with pytest.raises(EnvError, match=f"robot: bad Started, .*{words}"):
        checked(Started, fields, "robot")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({**STEP, "state": np.zeros(3)}, r"field state: state has shape \(3,\), its space \(2,\)"),
        ({**STEP, "state": None}, "field state: state has shape None"),
        ({**STEP, "reward": float("nan")}, "field reward"),
        ({**STEP, "reward": "1"}, "field reward"),
        ({**STEP, "progress": True}, "field progress"),
        ({**STEP, "goal_conditions": [1, 2.0]}, "field goal_conditions.1"),
        ({**STEP, "world": {"at": (0, 1)}}, "field world.at"),
        ({**STEP, "world": {"at": np.zeros(2)}}, "field world.at"),
    ],
)
def test_a_step_that_does_not_fit_its_start_is_refused_with_the_field(
    fields: Any, words: str
) -> None:
    start = checked(Started, VECTORS, "robot")
    with pytest.raises(EnvError, match=f"robot: bad Stepped, {words}"):
        checked_step(start, fields, "robot")


def test_arrays_are_kept_as_they_were_and_cannot_be_changed() -> None:
    state, picture = np.zeros(2), np.zeros((2, 2, 3), np.uint8)
    start = checked(Started, {**VECTORS, "state": state, "obs": {"head_rgb": picture}}, "robot")
    state[0], picture[:] = 5.0, 255
    assert start.state is not None and start.state.tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        start.state[0] = 1.0
    assert start.head_png and start.head_png.startswith(b"\x89PNG")
    assert not np.asarray(start.obs["head_rgb"]).any()


def test_steps_are_equal_when_every_array_is_bit_for_bit() -> None:
    def step(x: float, **more: Any) -> Stepped:
        return Stepped(**{**STEP, "state": np.array([x, 0.0]), **more})

    depth = {"depth_m_hw": np.ones((2, 2), np.float32)}
    assert step(0.1, obs=depth) == step(0.1, obs={"depth_m_hw": np.ones((2, 2), np.float32)})
    assert step(0.1) != step(0.1 + 1e-17 + 2e-17)
    assert step(0.0) != step(-0.0)
    assert step(0.1, obs=depth) != step(0.1)
    assert step(0.1, obs=depth) != step(0.1, obs={"depth_m_hw": np.ones((2, 2))})
    assert step(0.1, obs={"top": b"a"}) != step(0.1, obs={"top": b"b"})
    assert step(0.1) != step(0.1, feedback="x")


def test_the_record_of_a_planners_start_names_no_space_and_holds_no_array() -> None:
    start = Started(instruction="Go.", actions=("a",), obs={"head_rgb": b"x"})
    assert set(start.model_dump(mode="json")) == {
        "instruction", "actions", "limits", "episode_fingerprint", "simulator",
    }  # fmt: skip
    assert set(Started(**VECTORS).model_dump(mode="json")) >= {"action_space"}


def test_a_skill_is_its_name_and_a_call_fails_or_takes_a_step() -> None:
    assert Skill("find a Mug") == Skill("find a Mug") != Skill("find a Mug_2")
    assert EpisodeLimits(30, 10).planner_calls == 40
