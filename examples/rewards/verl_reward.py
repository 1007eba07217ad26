"""er-bench's judge as verl's `custom_reward_function` (verl 0.9: `path` and `name: compute_score`).

Rows name their sample in `extra_info`: {"task": "affordance", "id": "12"}.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache

from er_bench.rewards import Reward, reward


@cache
def _judge(task: str) -> Reward:
    reading = os.environ.get("ER_BENCH_READING", "robust")
    return reward(
        task,
        reading,
        data=os.environ.get("ER_BENCH_DATA"),
        split=os.environ.get("ER_BENCH_SPLIT", "official"),
        dialect=os.environ.get("ER_BENCH_DIALECT", "benchmark"),
    )


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: object,
    extra_info: Mapping[str, object] | None = None,
    **settings: object,
) -> float:
    """The reward of one answer; `ground_truth` is not looked at, the task knows it."""
    del data_source, ground_truth, settings
    about = extra_info or {}
    task = str(about["task"])
    found = _judge(task).value(task, str(about["id"]), solution_str)
    return 0.0 if found is None else found
