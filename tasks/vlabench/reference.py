"""The companion of `vlabench`."""

from __future__ import annotations

import json
import random

from er_bench.core.answer import Plan, Value
from er_bench.core.reference import Reference
from er_bench.core.sample import Sample
from er_bench.tasks.vlabench.task import Demonstration


class VlaBenchReference(Reference[Demonstration]):
    """Plans in a fence."""

    def ideal(self, sample: Sample[Demonstration]) -> Value:
        """The demonstration."""
        return Plan(tuple(dict(step) for step in sample.target.steps))

    def write(self, value: Value, sample: Sample[Demonstration]) -> str:
        """The plan in a ```json fence."""
        steps = list(value.steps) if isinstance(value, Plan) else []
        return f"```json\n{json.dumps(steps, indent=1)}\n```"

    def random_value(self, sample: Sample[Demonstration], rng: random.Random) -> Value:
        """Pick and place of two random tags."""
        return _pick_and_place(rng.randint(1, 9), rng.randint(1, 9))

    def blind_value(self, sample: Sample[Demonstration]) -> Value:
        """The commonest plan, pick and place, on the first two tags."""
        return _pick_and_place(1, 2)


def _pick_and_place(entity: int, container: int) -> Plan:
    return Plan(
        (
            {"name": "pick", "params": {"target_entity_name": entity}},
            {"name": "place", "params": {"target_container_name": container}},
        )
    )


REFERENCE = VlaBenchReference
