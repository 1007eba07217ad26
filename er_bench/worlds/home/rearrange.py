"""The `rearrange` skills: navigate, pick up, place, open, close; 70 actions, the same always.

Rules: EmbodiedBench `envs/eb_habitat` (config/pddl_domain_replica_cad.yaml, EBHabEnv.py), commit
b247936. Placing asks for nearness only, as there: a thing can be put into a closed drawer. Which
drawers the cabinets are is this home's own: 7 and 6 are the top drawers left and right of the
sink, 5 and 4 the ones below them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import TypeAlias

import numpy as np

from er_bench.scorers.goals import goal_holds, predicate
from er_bench.worlds.home.categories import CATEGORIES
from er_bench.worlds.home.world import Json, Thing, World

Goal: TypeAlias = Json | str
"""A predicate, or an expression over goals."""

LEFT_DRAWER = "left drawer of the kitchen counter"
RIGHT_DRAWER = "right drawer of the kitchen counter"
FRIDGE = "refrigerator"
FRIDGE_DOOR = "refrigerator push point"
CABINETS = {
    "cabinet 7": LEFT_DRAWER,
    "cabinet 6": RIGHT_DRAWER,
    "cabinet 5": "cabinet 5",
    "cabinet 4": "cabinet 4",
}
"""The thing that each cabinet is."""
RECEPTACLES = (
    "chair 1",
    "table 1",
    "table 2",
    "TV stand",
    "sink in the kitchen",
    "right counter in the kitchen",
    "left counter in the kitchen",
    "sofa",
    FRIDGE,
    LEFT_DRAWER,
    RIGHT_DRAWER,
)
ACTIONS = (
    *(f"navigate to the {name}" for name in (*CABINETS, FRIDGE_DOOR, *RECEPTACLES)),
    *(f"pick up the {name}" for name in CATEGORIES),
    *(f"place at the {name}" for name in RECEPTACLES),
    *(f"{verb} the {FRIDGE}" for verb in ("open", "close")),
    *(f"{verb} the {name}" for verb in ("open", "close") for name in CABINETS),
)

AT_OBJECT_M, AT_OBJECT_RAD = 1.5, 1.0
AT_RECEPTACLE_M, AT_RECEPTACLE_RAD = 2.0, 1.57
_DONE = "Last action executed successfully"
_INVALID = "Last action is invalid."
_HANDS_FULL = (
    " Robot cannot pick any object when holding something. "
    "Please place the object before picking something."
)
_NOT_NEAR = (
    " Robot cannot {} any object that is not near the robot. "
    "Navigate to other place to find the object."
)
_EMPTY_HANDED = (
    " Robot cannot place any object when not holding something. "
    "Please pick the object before place it."
)
_CHECK = " Check whether the receptacle is already {} or the robot is not near the receptacle."


class RearrangeSkills:
    """One episode's skills on a world whose furniture has the names of `RECEPTACLES`."""

    actions = ACTIONS

    def __init__(self, world: World) -> None:
        self.world = world

    def step(self, name: str) -> tuple[bool, str]:
        """Do an action: whether it could be done, and the feedback. Raises ValueError."""
        if name not in self.actions:
            raise ValueError(f"there is no action {name!r}")
        verb, _, rest = name.partition(" ")
        target = rest.split("the ", 1)[1]
        self.world.changed()
        refusal = {
            "navigate": self._go,
            "pick": self._pick,
            "place": self._place,
            "open": self._open,
            "close": self._close,
        }[verb](target)
        self.world.changed()
        if refusal is not None:
            return False, _INVALID + refusal
        return True, _DONE + self._told(verb, target)

    def _told(self, verb: str, name: str) -> str:
        match verb:
            case "pick":
                return f" and you are holding {name}."
            case "place":
                return " and you are holding nothing."
            case "open":
                return f" and now {name} is open."
            case "close":
                return f" and now {name} is closed."
        return "."

    # Geometry.

    def thing(self, name: str) -> Thing:
        """The thing that a name of an action or of a predicate means. Raises KeyError."""
        name = FRIDGE if name == FRIDGE_DOOR else name
        return self.world.things[CABINETS.get(name, name)]

    def near(self, thing: Thing, reach_m: float, angle_rad: float) -> bool:
        """Whether the robot is within reach of a thing and turned to it; heights do not count."""
        x, y = self.world.centre(thing.id)[:2] - np.asarray(self.world.eye_xy)
        if math.hypot(x, y) > reach_m:
            return False
        away = math.atan2(-x, y) - self.world.yaw_rad
        return abs(math.remainder(away, 2 * math.pi)) <= angle_rad

    def robot_at(self, name: str) -> bool:
        """The predicate `robot_at` of a receptacle."""
        return self.near(self.thing(name), AT_RECEPTACLE_M, AT_RECEPTACLE_RAD)

    def reachable(self, category: str) -> list[Thing]:
        """The things of a category that could be picked up here, nearest first."""
        world = self.world
        found = [
            t
            for t in world.things.values()
            if t.kind.name == category
            and t.kind.pickupable
            and t.id != world.held
            and self.near(t, AT_OBJECT_M, AT_OBJECT_RAD)
            and not self._in_closed_cabinet(t)
        ]
        return sorted(found, key=lambda t: world.distance_m(t.id))

    def _in_closed_cabinet(self, thing: Thing) -> bool:
        shut = self.world.shut_in(thing.id)
        return shut is not None and shut.id in CABINETS.values()

    # The skills; each returns why it cannot be done.

    def _go(self, name: str) -> str | None:
        self.world.go(self.thing(name).id)
        return None

    def _pick(self, category: str) -> str | None:
        if self.world.held is not None:
            return _HANDS_FULL
        found = self.reachable(category)
        if not found:
            return _NOT_NEAR.format("pick")
        found[0].parent, found[0].spot = None, None
        self.world.held = found[0].id
        return None

    def _place(self, name: str) -> str | None:
        world, target = self.world, self.thing(name)
        if world.held is None:
            return _EMPTY_HANDED
        if not self.near(target, AT_RECEPTACLE_M, AT_RECEPTACLE_RAD):
            return _NOT_NEAR.format("place")
        thing, world.held = world.things[world.held], None
        spot = next(iter(world.free_spots(target.id)), None)
        thing.parent, thing.spot, thing.yaw_rad = target.id, spot, 0.0
        if spot is None:
            thing.at_m = _on_the_heap(target, len(world.contents(target.id)))
        return None

    def _open(self, name: str) -> str | None:
        return self._move_door(name, True)

    def _close(self, name: str) -> str | None:
        return self._move_door(name, False)

    def _move_door(self, name: str, to_open: bool) -> str | None:
        thing = self.thing(name)
        if thing.is_open == to_open or not self.robot_at(name):
            return _CHECK.format("open" if to_open else "closed")
        thing.is_open = to_open
        return None

    # Goals.

    def entities(self) -> dict[str, Sequence[str]]:
        """Ids of the things of each category."""
        found: dict[str, list[str]] = {name: [] for name in CATEGORIES}
        for thing in self.world.things.values():
            if thing.kind.pickupable:
                found[thing.kind.name].append(thing.id)
        return dict(found)

    def holds(self, name: str, arguments: tuple[str, ...]) -> bool:
        """Whether a predicate holds. Raises ValueError for one that the home does not know."""
        world = self.world
        match name, arguments:
            case "not_holding", ():
                return world.held is None
            case "holding", (what,):
                return world.held == what
            case (("on_top" | "in" | "at"), (what, where)):
                parent = world.things[what].parent
                return parent is not None and parent == self.thing(where).id
            case "robot_at", (where,):
                return self.robot_at(where)
            case "robot_at_obj", (what,):
                return self.near(world.things[what], AT_OBJECT_M, AT_OBJECT_RAD)
            case (("opened_fridge" | "opened_cab"), (where,)):
                return self.thing(where).is_open
            case (("closed_fridge" | "closed_cab"), (where,)):
                return not self.thing(where).is_open
        raise ValueError(f"the home has no predicate {name}/{len(arguments)}")


def _on_the_heap(target: Thing, n: int) -> tuple[float, float, float]:
    """Where a thing goes when every spot is taken: between them, in a spiral."""
    x, y, z = target.kind.spots[n % len(target.kind.spots)]
    return (x + 0.06 * math.cos(n), y + 0.05 * math.sin(n), z)


def goal_conditions(goal: Goal, skills: RearrangeSkills) -> tuple[int, int]:
    """(met, total) parts of the goal's outermost expression, for its best choice of things.

    The released simulator measures progress by recorded robot positions; here it is the share of
    the goal's own parts. All are met exactly when the goal holds.
    """
    entities = skills.entities()
    if goal_holds(goal, entities, skills.holds):
        return (_n_parts(goal),) * 2
    if isinstance(goal, str) or goal["expr_type"] != "AND":
        return 0, _n_parts(goal)
    inputs = goal.get("inputs") or []
    names = [i["name"] for i in inputs]
    counts = []
    for chosen in product(*(entities[i["expr_type"]] for i in inputs)):
        bound = dict(zip(names, chosen, strict=True))

        def holds(name: str, arguments: tuple[str, ...], bound: dict[str, str] = bound) -> bool:
            return skills.holds(name, tuple(bound.get(a, a) for a in arguments))

        counts.append(sum(goal_holds(part, entities, holds) for part in goal["sub_exprs"]))
    pick = min if goal.get("quantifier") == "FORALL" else max
    return min(pick(counts, default=0), _n_parts(goal) - 1), _n_parts(goal)


def _n_parts(goal: Goal) -> int:
    if isinstance(goal, str):
        predicate(goal)
        return 1
    return len(goal["sub_exprs"]) if goal["expr_type"] == "AND" else 1
