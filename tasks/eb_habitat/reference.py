"""The companion of `eb_habitat`."""

from __future__ import annotations

from er_bench.tasks.base.embodiedbench_reference import REFERENCE

__all__ = ["REFERENCE"]
