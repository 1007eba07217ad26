"""The companion of `part_affordance`."""

from __future__ import annotations

from er_bench.core.answer import Points, Value
from er_bench.core.geometry import Size, Unit
from er_bench.core.sample import Sample
from er_bench.tasks.base.located import Convention
from er_bench.tasks.base.masks import deepest
from er_bench.tasks.base.place_reference import PlaceReference
from er_bench.tasks.part_affordance.task import PartAffordance, Target


class PartAffordanceReference(PlaceReference[Target]):
    """The point deepest in the part."""

    task: PartAffordance

    @property
    def convention(self) -> Convention:
        """The task's."""
        return self.task.convention

    def size_wh(self, sample: Sample[Target]) -> Size:
        """The mask's size."""
        return self.task.size_wh(sample)

    def ideal(self, sample: Sample[Target]) -> Value:
        """The point deepest in the mask."""
        x, y = deepest(self.task.mask(sample), sample.where)
        return Points(((x, y),), Unit.PIXEL)


REFERENCE = PartAffordanceReference
