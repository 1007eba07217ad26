"""`home_alfred`: ALFRED's skills and goal types in rooms that er-bench draws itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from er_bench.tasks.base.home import HomeTask
from er_bench.worlds.home.blind_planner import alfred_plan


class HomeAlfred(HomeTask):
    """Chores by find, pick up, put down, open, close, turn on, turn off, slice."""

    folder = Path(__file__).parent

    def blind_plan(self, instruction: str) -> Sequence[str]:
        """By the words alone."""
        return alfred_plan(instruction)


TASK = HomeAlfred
