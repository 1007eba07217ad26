"""A benchmark of vla-eval's, played by its orchestrator against the server at URL: URL, OUT."""

import json
import sys

import numpy as np
import vla_eval
from vla_eval.benchmarks.base import StepBenchmark, StepResult
from vla_eval.specs import IMAGE_RGB, LANGUAGE, DimSpec
from world import GOAL, NEAR_M


class Table(StepBenchmark):
    def __init__(self, send_state=False):
        super().__init__()
        assert send_state, "the server asks for it in HELLO"
        self.told = []

    def get_tasks(self):
        return [{"name": f"Push the point to {GOAL[0]} {GOAL[1]}", "suite": "table"}]

    def reset(self, task):
        self.at_m = np.zeros(2)
        return None

    def step(self, action):
        move = action["actions"]
        assert move.shape == (2,) and np.isfinite(move).all() and (abs(move) <= 0.1).all(), move
        self.told.append(move.tolist())
        self.at_m = self.at_m + move
        success = bool(np.linalg.norm(GOAL - self.at_m) < NEAR_M)
        return StepResult(obs=None, reward=0.0, done=success, info={"success": success})

    def make_obs(self, raw, task):
        rgb = np.zeros((48, 48, 3), np.uint8)
        rgb[3, 5] = 255, 128, 0
        return {"images": {"top": rgb}, "task_description": task["name"], "states": self.at_m}

    def get_step_result(self, result):
        return {"success": bool(result.info and result.info.get("success"))}

    def get_metadata(self):
        return {"max_steps": 12}

    def get_action_spec(self):
        return {"move": DimSpec("move", 2, "raw", (-0.1, 0.1))}

    def get_observation_spec(self):
        return {"top": IMAGE_RGB, "language": LANGUAGE, "state": DimSpec("state", 2, "point_xy")}


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.WARNING)
    config = {"benchmarks": [{"benchmark": "bench:Table", "episodes_per_task": 3}]}
    (result,) = vla_eval.run(config, server_url=sys.argv[1], output_dir=sys.argv[2], docker=False)
    print("RESULT", json.dumps(result, default=str))
