"""The companion of the built-in homes: plans of the oracle, at random, and by the words alone."""

from __future__ import annotations

import json
import random
from abc import abstractmethod
from collections.abc import Sequence

from er_bench.core.answer import Plan, Value
from er_bench.core.reference import Reference
from er_bench.core.sample import Sample
from er_bench.tasks.base.home import HomeEpisode
from er_bench.worlds.home.skills import start

RANDOM_PLAN = 5
"""How many actions the random planner writes at a time."""


class HomeReference(Reference[HomeEpisode]):
    """Plans as action ids."""

    @abstractmethod
    def blind_plan(self, instruction: str) -> Sequence[str]:
        """The plan of one who reads the instruction and never looks."""

    def ideal(self, sample: Sample[HomeEpisode]) -> Value:
        """The oracle's plan, from the start of the episode."""
        return _ids(sample.target.plan, sample)

    def blind_value(self, sample: Sample[HomeEpisode]) -> Value:
        """The blind planner's plan; actions that do not exist are left out."""
        return _ids(self.blind_plan(sample.text), sample)

    def random_value(self, sample: Sample[HomeEpisode], rng: random.Random) -> Value:
        """A few random actions."""
        n_actions = len(_actions(sample))
        return Plan(tuple(rng.randrange(n_actions) for _ in range(RANDOM_PLAN)))

    def write(self, value: Value, sample: Sample[HomeEpisode]) -> str:
        """A plan of action ids as the prompt asks for it."""
        if not isinstance(value, Plan):
            raise TypeError(f"a plan is needed, not {type(value).__name__}")
        names = _actions(sample)
        plan = [
            {"action_id": step, "action_name": names[step]}
            for step in value.steps
            if isinstance(step, int)
        ]
        return json.dumps({"observation": "", "reasoning": "", "executable_plan": plan})


def _actions(sample: Sample[HomeEpisode]) -> tuple[str, ...]:
    """The names of an episode's actions, by id."""
    return start(sample.target.spec).actions


def _ids(plan: Sequence[str], sample: Sample[HomeEpisode]) -> Plan:
    ids = {name: number for number, name in enumerate(_actions(sample))}
    return Plan(tuple(ids[name] for name in plan if name in ids))
