"""The companion of `vabench_visual`."""

from er_bench.tasks.base.trace_reference import TraceReference

REFERENCE = TraceReference
