"""The doors of Qwen2.5-VL; RoboBrain2.0, Embodied-R1 and VLA-R1 are such models."""

from __future__ import annotations

from er_bench.core.family import Family
from er_bench.models.auto.engine import AutoArgs, open_auto


def _training() -> object:
    from er_bench.models.qwen2_5_vl.training import TRAINING

    return TRAINING


FAMILY = Family(
    name="qwen2_5_vl",
    args=AutoArgs,
    owns=lambda config: config.get("model_type") == "qwen2_5_vl",
    engine=open_auto,
    training=_training,
)
