"""er-bench's judge as EasyR1's batch reward (`worker.reward.reward_function=FILE:compute_score`).

Rows carry `ground_truth` as "TASK/ID", for that is what EasyR1 hands over of a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from er_bench.rewards import Reward, reward


def compute_score(
    reward_inputs: Sequence[Mapping[str, object]], reading: str = "robust", **choice: str
) -> list[dict[str, float]]:
    """`overall` of each answer; `choice` is what `er_bench.rewards.reward` takes (data, split)."""
    judges: dict[str, Reward] = {}
    found = []
    for row in reward_inputs:
        task, _, sample_id = str(row["ground_truth"]).partition("/")
        if task not in judges:
            judges[task] = reward(task, reading, **choice)
        value = judges[task].value(task, sample_id, str(row["response"]))
        found.append({"overall": 0.0 if value is None else value})
    return found
