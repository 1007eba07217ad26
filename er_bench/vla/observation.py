"""What a simulator of vla-eval shows, as an `Observation` of er-bench's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from er_bench.core.array import DTYPES, described
from er_bench.core.completion import one_line
from er_bench.core.environment import Started
from er_bench.core.picture import is_rgb
from er_bench.vla.messages import checked
from er_bench.vla.robot import Robot
from er_bench.vla.specs import STATE

IMAGES, SENTENCE = "images", "task_description"


def started(payload: Mapping[str, Any], robot: Robot) -> Started:
    """The payload of an OBSERVATION as the start of an episode that begins there.

    Arrays that are neither pictures nor the robot's state go by their own names. What no policy of
    er-bench could be shown is passed over; see `unseen`. Raises ValueError that names the field.
    """
    sentence = payload.get(SENTENCE)
    if not isinstance(sentence, str):
        raise ValueError(f"field {SENTENCE} is {described(sentence)}, no text")
    state = _state(payload, robot)
    fields = {
        "instruction": sentence,
        "action_space": robot.action_space,
        "state_space": robot.state_space,
        "state": state,
        "obs": _arrays(payload, known_state=state is not None) | _pictures(payload),
    }
    return checked(Started, fields)


def unseen(payload: Mapping[str, Any]) -> list[str]:
    """The fields of an OBSERVATION that no policy of er-bench is shown."""
    known = {IMAGES, SENTENCE, *_arrays(payload, known_state=True), *STATE}
    return [one_line(name, 60) for name in payload if name not in known]


def _pictures(payload: Mapping[str, Any]) -> dict[str, Any]:
    images = payload.get(IMAGES, {})
    if not isinstance(images, dict):
        raise ValueError(f"field {IMAGES} is {described(images)}, no map of cameras")
    for name, image in images.items():
        if not isinstance(image, np.ndarray) or not is_rgb(image) or not image.size:
            raise ValueError(
                f"field {IMAGES}.{one_line(str(name), 40)} is {described(image)}, not uint8 "
                "(H, W, 3)"
            )
    return images


def _state(payload: Mapping[str, Any], robot: Robot) -> object:
    """The robot's state, `(D,)` float64; None where its file tells none. Raises ValueError."""
    if robot.state_space is None:
        return None
    told = next((payload[name] for name in STATE if name in payload), None)
    if not isinstance(told, np.ndarray) or told.dtype.kind not in "iuf":
        raise ValueError(f"field state is {described(told)}, no array of numbers")
    return told.astype(np.float64)


def _arrays(payload: Mapping[str, Any], *, known_state: bool) -> dict[str, Any]:
    return {
        name: value
        for name, value in payload.items()
        if isinstance(value, np.ndarray)
        and value.dtype.name in DTYPES
        and not is_rgb(value)
        and not (known_state and name in STATE)
    }
