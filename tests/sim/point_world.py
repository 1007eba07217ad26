"""A simulator for tests whose actions are vectors: push a point over a table to its goal.

Options: `pids` (a file every process adds its id to), `drift` (how far the worlds after the first
one in that file differ in x).
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

FRAME = "the table: x to the right, y away from the robot"
MOST_M, NEAR_M, SIDE_PX = 0.1, 0.01, 48


def space(*names: str, **bounds: float) -> dict[str, Any]:
    told = {name: [bound] * len(names) for name, bound in bounds.items()}
    return {"names": names, "units": ["m"] * len(names), "frame": FRAME, **told}


def pixel(at_m: NDArray[np.float64]) -> tuple[int, int]:
    """Row and column of a point of the table, two metres wide and deep; of the edge beyond it."""
    last = SIDE_PX - 1
    column, row = np.rint((at_m * [1, -1] + 1) / 2 * last).clip(0, last).astype(int)
    return int(row), int(column)


class PointWorld:
    def __init__(self, options: dict[str, str]) -> None:
        self.at_m, self.goal_m = np.zeros(2), np.zeros(2)
        self.drift_m = 0.0
        if "pids" in options:
            with open(options["pids"], "a+") as file:
                file.write(f"{os.getpid()}\n")
                file.seek(0)
                if len(file.readlines()) > 1:
                    self.drift_m = float(options.get("drift", "0"))

    def hello(self) -> dict[str, Any]:
        return {"env": "point", "env_version": "1", "versions": {"numpy": np.__version__}}

    def list_episodes(self, split: str) -> list[str]:
        return ["point-0"] if split == "check" else []

    def reset(
        self, episode_id: str, seed: int, resolution: int, episode: dict[str, Any] | None
    ) -> dict[str, Any]:
        name, _, number = episode_id.partition("-")
        if name != "point" or not number.isdecimal():
            raise ValueError(f"there is no episode {episode_id!r}")
        self.at_m[:] = 0.0
        self.goal_m = np.random.default_rng([int(number), seed]).uniform(-1, 1, 2)
        x, y = self.goal_m.tolist()
        return {
            "instruction": f"Push the point to {x!r} {y!r}",
            "action_space": space("dx", "dy", low=-MOST_M, high=MOST_M),
            "state_space": space("x", "y"),
            "state": self.at_m,
            "obs": self.seen(),
        }

    def seen(self) -> dict[str, NDArray[Any]]:
        rgb_hwc = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
        rgb_hwc[pixel(self.at_m)] = 255
        return {"top": rgb_hwc, "top_depth_m_hw": np.full((4, 6), self.at_m[0], np.float32)}

    def step(self, action: NDArray[np.float64]) -> dict[str, Any]:
        told = action.copy()
        action.clip(-MOST_M, MOST_M, out=action)  # it may be changed
        self.at_m += action
        self.at_m[0] += self.drift_m
        to_go_m = float(np.linalg.norm(self.goal_m - self.at_m))
        return {
            "valid": True,
            "feedback": "",
            "reward": -to_go_m,
            "done": to_go_m < NEAR_M,
            "success": to_go_m < NEAR_M,
            "progress": 1 / (1 + to_go_m),
            "state": self.at_m,  # the same array each time: whoever keeps it must copy it
            "obs": {**self.seen(), "told_d": told},
        }

    def state(self) -> dict[str, Any]:
        return {"at_m": self.at_m, "goal_m": self.goal_m.tolist()}

    def close(self) -> None:
        pass


def create(options: dict[str, str]) -> PointWorld:
    return PointWorld(options)
