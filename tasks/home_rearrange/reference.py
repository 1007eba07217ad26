"""The companion of `home_rearrange`."""

from __future__ import annotations

from collections.abc import Sequence

from er_bench.tasks.base.home_reference import HomeReference
from er_bench.worlds.home.blind_planner import rearrange_plan


class HomeRearrangeReference(HomeReference):
    """Blind by the words of its skills."""

    def blind_plan(self, instruction: str) -> Sequence[str]:
        """By the words alone."""
        return rearrange_plan(instruction)


REFERENCE = HomeRearrangeReference
