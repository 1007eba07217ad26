"""er-bench's judge as an ms-swift reward (`--external_plugins FILE --reward_funcs er_bench`).

Rows carry the columns `task` and `id`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from er_bench.rewards import reward

try:
    from swift.plugin import ORM, orms
except ImportError:  # to be read and tested without ms-swift
    ORM, orms = object, {}


class ErBench(ORM):
    """Reads ER_BENCH_TASKS, ER_BENCH_READING, ER_BENCH_SPLIT and ER_BENCH_DATA."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()
        self._judge = reward(
            os.environ["ER_BENCH_TASKS"],
            os.environ.get("ER_BENCH_READING", "robust"),
            data=os.environ.get("ER_BENCH_DATA"),
            split=os.environ.get("ER_BENCH_SPLIT", "official"),
        )

    def __call__(
        self, completions: Sequence[str], task: Sequence[str], id: Sequence[str], **columns: object
    ) -> list[float]:
        """A number for each completion; 0 where the reward does not apply."""
        found = self._judge(completions, task=task, id=id)
        return [0.0 if value is None else value for value in found]


orms["er_bench"] = ErBench
