"""The companion of `sharerobot_trajectory`."""

from er_bench.tasks.base.trace_reference import TraceReference

REFERENCE = TraceReference
