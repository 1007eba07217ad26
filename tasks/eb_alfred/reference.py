"""The companion of `eb_alfred`."""

from __future__ import annotations

from er_bench.tasks.base.embodiedbench_reference import REFERENCE

__all__ = ["REFERENCE"]
