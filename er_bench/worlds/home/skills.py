"""What the simulator needs of a skill dialect."""

from __future__ import annotations

from typing import Protocol

from er_bench.scorers.goals import alfred_conditions
from er_bench.worlds.home.alfred import AlfredSkills, metadata
from er_bench.worlds.home.rearrange import RearrangeSkills, goal_conditions
from er_bench.worlds.home.world import Json, World, world_from_json


class Skills(Protocol):
    """One episode's skills on a world."""

    world: World
    actions: tuple[str, ...]

    def step(self, name: str) -> tuple[bool, str]:
        """Do an action: whether it could be done, and the feedback. Raises ValueError."""


def start(spec: Json) -> Skills:
    """The skills and the world of an episode. Raises KeyError, TypeError, ValueError."""
    world = world_from_json(spec["room"], spec["things"])
    if spec["skills"] == "alfred":
        return AlfredSkills(world)
    if spec["skills"] == "rearrange":
        return RearrangeSkills(world)
    raise ValueError(f"there are no skills {spec['skills']!r}")


def conditions(spec: Json, skills: Skills) -> tuple[int, int]:
    """(met, total) goal conditions in the present state."""
    goal = spec["goal"]
    if isinstance(skills, RearrangeSkills):
        return goal_conditions(goal, skills)
    return alfred_conditions(goal["task_type"], goal, metadata(skills.world))
