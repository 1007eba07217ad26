"""VLA-R1's released reward, rebuilt, against a second implementation on generated answers.

    python tests/external/vla_r1_rewards.py [--answers 100000] [--recorded FILE]

`--recorded` takes rows of `solution_str`, `ground_truth` and the released function's `output`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.scorers.vla_r1 import mixed, released_trace
from er_bench.tasks.base.vla_r1 import read_released, reward_of_texts
from tests.scorers.vla_r1_by_hand import reward
from tests.tasks.vla_r1_answers import pair


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--recorded", type=Path)
    wanted = parser.parse_args()
    rng = random.Random(1)
    pairs = [pair(rng) for _ in range(wanted.answers)]
    start = time.perf_counter()
    ours = [reward_of_texts(*both) for both in pairs]
    rate = len(pairs) / (time.perf_counter() - start)
    apart = sum(abs(made - reward(*both)) > 1e-9 for made, both in zip(ours, pairs, strict=True))
    print(f"{len(pairs)} answers, {apart} disagreements, {rate:,.0f} rewards a second")
    if wanted.recorded:
        rows = [json.loads(line) for line in wanted.recorded.read_text().splitlines()]
        worst = max(abs(recorded(row) - row["output"]["score"]) for row in rows)
        print(f"{len(rows)} recorded rewards, largest difference {worst:.2e}")
        apart += worst > 1e-9
    sys.exit(bool(apart))


def recorded(row: dict) -> float:
    """The reward of a recorded row, with its own weights of angle and length."""
    said, meant = read_released(row["solution_str"]), read_released(row["ground_truth"])
    told = row.get("extra_info") or {}
    if told and said.trace_xy and meant.trace_xy:
        names = {"lambda_theta": "angle", "lambda_ratio": "log_length"}
        weights = {ours: told[theirs] for theirs, ours in names.items() if theirs in told}
        task = released_trace(said.trace_xy, meant.trace_xy, **weights)
        return mixed(task, said.well_formed)
    return reward_of_texts(row["solution_str"], row["ground_truth"])


if __name__ == "__main__":
    main()
