"""`home_alfred`: ALFRED's skills and goal types in rooms that er-bench draws itself."""

from __future__ import annotations

from pathlib import Path

from er_bench.tasks.base.home import HomeTask


class HomeAlfred(HomeTask):
    """Chores by find, pick up, put down, open, close, turn on, turn off, slice."""

    folder = Path(__file__).parent


TASK = HomeAlfred
