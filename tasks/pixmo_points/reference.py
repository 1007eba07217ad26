"""The companion of `pixmo_points`."""

from __future__ import annotations

from er_bench.core.answer import Points, Value
from er_bench.core.geometry import Size, Unit
from er_bench.core.sample import Sample
from er_bench.tasks.base.located import Convention
from er_bench.tasks.base.place_reference import PlaceReference
from er_bench.tasks.pixmo_points.task import PixmoPoints, Target


class PixmoPointsReference(PlaceReference[Target]):
    """The true points."""

    task: PixmoPoints

    @property
    def convention(self) -> Convention:
        """The task's."""
        return self.task.convention

    def size_wh(self, sample: Sample[Target]) -> Size:
        """The row's width and height."""
        return self.task.size_wh(sample)

    def ideal(self, sample: Sample[Target]) -> Value:
        """The true points, in pixels."""
        return Points(tuple(sample.target.points_px_xy), Unit.PIXEL)


REFERENCE = PixmoPointsReference
