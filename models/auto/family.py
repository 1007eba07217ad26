"""The door of every family without one of its own: Qwen3-VL and others."""

from __future__ import annotations

from er_bench.core.family import Family
from er_bench.models.auto.engine import AutoArgs, open_auto

FAMILY = Family(
    name="auto",
    args=AutoArgs,
    owns=lambda config: True,
    engine=open_auto,
    packages=("torchvision",),
)
