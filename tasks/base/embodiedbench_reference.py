"""The companion of EmbodiedBench's tasks: it can write plans, and knows none."""

from __future__ import annotations

import json

from er_bench.core.answer import Plan, Value
from er_bench.core.reference import Reference
from er_bench.core.sample import Sample, T


class EmbodiedBenchReference(Reference[T]):
    """Plans as the schema wants them."""

    def ideal(self, sample: Sample[T]) -> Value:
        """There is none: the simulators' worlds are not known beforehand."""
        raise NotImplementedError(f"{self.label} has no ideal answer")

    def write(self, value: Value, sample: Sample[T]) -> str:
        """A plan of action ids as the schema wants it."""
        del sample
        if not isinstance(value, Plan):
            raise TypeError(f"a plan is needed, not {type(value).__name__}")
        plan = [{"action_id": step, "action_name": ""} for step in value.steps]
        texts = dict.fromkeys(
            ("visual_state_description", "reasoning_and_reflection", "language_plan"), ""
        )
        return json.dumps({**texts, "executable_plan": plan})


REFERENCE = EmbodiedBenchReference
