"""What a policy sees and does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from er_bench.core.environment import Started
from er_bench.core.errors import ModelError
from er_bench.core.picture import png, rgb_hwc
from er_bench.core.policy import Actions, Observation
from er_bench.core.space import Space

FRAME = "the robot's base"
SPACE = Space(names=("x", "grip"), units=("m", "1"), frame=FRAME)
PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def test_an_observation_tells_pictures_from_other_arrays_and_says_what_the_state_is() -> None:
    depth = np.ones((2, 3), np.float32)
    obs = {"wrist": PICTURE, "front": png(PICTURE), "wrist_depth_m_hw": depth}
    start = Started(
        instruction="Lift it.", action_space=SPACE, state_space=SPACE, state=np.ones(2), obs=obs
    )
    seen = Observation.of(start, start)
    assert set(seen.images) == {"wrist", "front"}
    for camera in seen.images:
        assert np.array_equal(seen.rgb_hwc(camera), PICTURE)
    assert list(seen.arrays) == ["wrist_depth_m_hw"]
    assert seen.state_d is not None and seen.state_d.tolist() == [1.0, 1.0]
    assert (seen.state_space, seen.instruction) == (SPACE, "Lift it.")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        ([[0.0, 0.0]], "not list"),
        (np.zeros(2), r"not float64 \(2,\)"),
        (np.zeros((1, 2), np.float32), r"not float32 \(1, 2\)"),
        (np.zeros((0, 2)), r"is \(0, 2\)"),
        (np.zeros((4, 3)), "units tells 2"),
        (np.array([[0.0, 1.0], [np.inf, 0.0]]), r"actions_td\[1, 0\] is inf"),
    ],
)
def test_actions_that_are_none_are_the_policys_fault(array: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        Actions(array, ("m", "1"), FRAME)


def test_a_policy_that_acts_in_another_unit_or_frame_is_refused() -> None:
    Actions(np.zeros((4, 2)), ("m", "1"), FRAME).check(SPACE)
    with pytest.raises(ModelError, match=r"acts in mm, 1 .*the environment wants m, 1"):
        Actions(np.zeros((4, 2)), ("mm", "1"), FRAME).check(SPACE)
    with pytest.raises(ModelError, match=r"the camera.*the robot's base"):
        Actions(np.zeros((4, 2)), ("m", "1"), "the camera").check(SPACE)


def test_a_chunk_does_not_change_with_the_buffer_that_it_came_in() -> None:
    buffer = np.zeros((2, 2))
    actions = Actions(buffer, ("m", "1"), FRAME)
    buffer[:] = 7.0
    assert not actions.actions_td.any()


def test_a_picture_keeps_its_pixels_as_png_and_back() -> None:
    assert np.array_equal(rgb_hwc(png(PICTURE)), PICTURE)
    with pytest.raises(OSError):
        rgb_hwc(b"no picture")
