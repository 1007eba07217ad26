"""VABench-VisualTrace: trace in the picture how an instruction to a robot is carried out.

Hub layout (`IffYuan/vabench-v`): `problem`, `image`, `answer`. The authors' test file has `id`,
`problem`, `images`, and `answer`, JSON with `trajectory` in pixels behind a tag. Embodied-R1
`eval/hf_inference_vabench_visual_trace.py`, commit 16c4534: RMSE on a picture of 999 by 999, over
the answers that have two points or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from er_bench.core.sample import Sample
from er_bench.core.task import OFFICIAL, ROBUST, Reading
from er_bench.tasks.base.point_region import EMBODIED_R1
from er_bench.tasks.base.trace_task import Trace, TraceTask

SOURCE = EMBODIED_R1.format(script="hf_inference_vabench_visual_trace")
TOLD, ANY = "<point>, or the dialect's", "points in any form"


class VABenchVisual(TraceTask):
    """VABench-VisualTrace, 300 rows."""

    scale, worst = 999.0, 1000.0

    @cached_property
    def readings(self) -> Mapping[str, Reading[Trace]]:
        """RMSE by the strict and the best reader; other distances; as the kits invert it."""
        strict, tolerant = self.convention.read, self.convention.read_tolerant
        kit = "DeepCybo-PhysAI/PhysBrainEvalKit, traces as 100 - NRMSE, commit 11f8260"
        return {
            OFFICIAL: self.reading(strict, "rmse", TOLD, SOURCE, left_out=True),
            ROBUST: self.reading(tolerant, "rmse", ANY, "er-bench"),
            "dfd": self.reading(tolerant, "dfd", ANY, "er-bench"),
            "hausdorff": self.reading(tolerant, "hausdorff", ANY, "er-bench"),
            "nrmse": self.reading(tolerant, "rmse", ANY, kit, left_out=True, inverted=True),
        }

    def question(self, sample: Sample[Trace]) -> str:
        """The row's words."""
        return sample.text


TASK = VABenchVisual
