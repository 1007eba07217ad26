"""ShareRobot trajectory: trace the way of the robot's arm in the picture.

Hub layout (`IffYuan/sharerobot_trajectory`): `problem`, `image`, `answer`, points in pixels. No
scorer was released. RoboBrain 2.0 (arXiv 2507.02029) reports the discrete Frechet distance, the
Hausdorff distance and the RMSE; the words are those of the kit that re-hosts the rows,
EmbodiedEvalKit.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from er_bench.core.sample import Sample
from er_bench.core.task import OFFICIAL, ROBUST, Reading
from er_bench.tasks.base.trace_task import Trace, TraceTask

QUESTION = (
    "You are currently a robot performing robotic manipulation tasks. The task instruction is: {}. "
    "Use 2D points to trace the movement trajectory of the robotic arm (not the manipulated "
    "object) as it moves to complete the task. You must provide the points in the order of the "
    "trajectory, and the number of points must be {}."
)
PAPER = "distances as arXiv 2507.02029 (RoboBrain 2.0) reports them; no scorer was released"
KIT = "EmbodiedEvalKit dataset of ShareRobot traces (normalized_rmse_score)"
TOLD, ANY = "<point>, or the dialect's", "points in any form"


class ShareRobotTrajectory(TraceTask):
    """ShareRobot's trajectory test."""

    scale, worst = 1.0, 1.0

    @cached_property
    def readings(self) -> Mapping[str, Reading[Trace]]:
        """The discrete Frechet distance by the strict and the best reader, and other distances."""
        strict, tolerant = self.convention.read, self.convention.read_tolerant
        return {
            OFFICIAL: self.reading(strict, "dfd", TOLD, PAPER),
            ROBUST: self.reading(tolerant, "dfd", ANY, "er-bench"),
            "hausdorff": self.reading(tolerant, "hausdorff", ANY, PAPER),
            "rmse": self.reading(tolerant, "rmse", ANY, PAPER),
            "nrmse": self.reading(tolerant, "rmse", ANY, KIT, left_out=True, inverted=True),
        }

    def question(self, sample: Sample[Trace]) -> str:
        """The kit's words, which tell the number of points."""
        return QUESTION.format(sample.text, len(sample.target.points_px_xy))


TASK = ShareRobotTrajectory
