"""DimSpecs against spaces: what fits, and what is named that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from er_bench.core.space import Space
from er_bench.vla.robot import read_robot
from er_bench.vla.specs import DimSpec, Shown, action_misfit, observation_misfit

ROOT = Path(__file__).parents[2]
HAND = Space(
    names=("hand_x", "hand_y", "hand_z", "gripper"),
    units=("cm", "cm", "cm", "1"),
    frame="world",
    low=(-1.0, -1.0, -1.0, -1.0),
    high=(1.0, 1.0, 1.0, 1.0),
)


def specs(**told: tuple[Any, ...]) -> dict[str, DimSpec]:
    return {
        name: DimSpec(name=name, dims=dims, format=form, range=ends[0] if ends else None)
        for name, (dims, form, *ends) in told.items()
    }


@pytest.mark.parametrize(
    "told",
    [
        specs(position=(3, "delta_xyz", (-1, 1)), gripper=(1, "binary_close_positive", (-1, 1))),
        specs(position=(3, "delta_xyz"), gripper=(1, "continuous_01")),
        specs(actions=(0, "raw")),
        specs(a=(4, "words_of_its_own")),
        {},
    ],
)
def test_parts_of_a_hand_fit(told: dict[str, DimSpec]) -> None:
    assert action_misfit(told, HAND) == ""


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (
            specs(position=(3, "delta_xyz"), rotation=(3, "axis_angle"), gripper=(1, "raw")),
            "the server acts by 7 components (position 3, rotation 3, gripper 1), the environment "
            "by 4 (hand_x, hand_y, hand_z, gripper)",
        ),
        (
            specs(rotation=(3, "euler_xyz"), gripper=(1, "raw")),
            "rotation is euler_xyz, and hand_x, hand_y, hand_z of the environment is in cm, cm, cm",
        ),
        (
            specs(gripper=(1, "binary_close_negative"), position=(3, "delta_xyz")),
            "gripper is binary_close_negative, and hand_x of the environment is in cm; position is "
            "delta_xyz, and hand_y, hand_z, gripper of the environment is in cm, cm, 1",
        ),
        (
            specs(position=(3, "delta_xyz"), gripper=(1, "binary_close_01", (0, 1))),
            "gripper is binary_close_01 from 0 to 1, and gripper of the environment goes from -1 "
            "to 1",
        ),
        (
            specs(rotation=(4, "euler_xyz")),
            "rotation is euler_xyz, which has 3 components, and the server tells 4",
        ),
    ],
)
def test_another_hand_is_told(told: dict[str, DimSpec], why: str) -> None:
    assert action_misfit(told, HAND) == why


def test_what_a_server_wants_to_see() -> None:
    shown = Shown(1, 4, ("depth",))
    wanted = specs(
        primary=(0, "rgb_hwc_uint8"), state=(4, "a"), language=(0, "language"), depth=(0, "raw")
    )
    assert observation_misfit(wanted, shown) == ""
    assert observation_misfit(specs(state=(0, "joints")), Shown(1, 4)) == ""
    assert "tells none" in observation_misfit(specs(state=(0, "joints")), Shown(1, None))
    assert "8 components (eef), the environment's has 4" in observation_misfit(
        specs(states=(8, "eef")), shown
    )


def test_the_example_robot_fits_what_vla_evals_libero_says() -> None:
    robot = read_robot(ROOT / "examples" / "vla" / "libero.yaml")
    space, state = robot.action_space, robot.state_space
    assert space.dimension == 7 and space.names[-1] == "gripper" and space.low == (-1.0,) * 7
    assert state is not None and state.dimension == 8
    assert [part.format for part in robot.actions.values()] == [
        "delta_xyz",
        "axis_angle",
        "binary_close_positive",
    ]
    assert action_misfit({n: part.spec(n) for n, part in robot.actions.items()}, space) == ""
