"""`home_alfred`: ALFRED's skills and goal types in rooms that er-bench draws itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from er_bench.sim.home.blind import alfred_plan
from er_bench.tasks.home import HomeTask


class HomeAlfred(HomeTask):
    """Chores by find, pick up, put down, open, close, turn on, turn off, slice."""

    folder = Path(__file__).parent

    def blind_plan(self, instruction: str) -> Sequence[str]:
        """By the words alone."""
        return alfred_plan(instruction)


TASK = HomeAlfred
