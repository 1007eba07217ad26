"""The oracle planner of the `rearrange` skills: tries the ways to bind a goal until one works."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

from er_bench.scorers.goals import goal_holds, predicate
from er_bench.worlds.home.episode_proof import MAX_STEPS
from er_bench.worlds.home.rearrange import (
    CABINETS,
    FRIDGE,
    FRIDGE_DOOR,
    RECEPTACLES,
    Goal,
    RearrangeSkills,
)
from er_bench.worlds.home.world import Json

_TRIES = 60
_ELSEWHERE = ("table 1", "sofa", "left counter in the kitchen")
Atom = tuple[str, tuple[str, ...]]


def plan(skills: RearrangeSkills, goal: Goal) -> list[str]:
    """Action names that reach a goal, the shortest of those tried; the world is left as it is.

    Raises LookupError when no way is found within 30 steps.
    """
    found: list[list[str]] = []
    for wanted in islice(_bindings(skills, goal), _TRIES):
        steps = _Attempt(copy.deepcopy(skills)).reach(wanted, goal)
        if steps is not None and 0 < len(steps) <= MAX_STEPS:
            found.append(steps)
            if len(found) >= 4:
                break
    if not found:
        raise LookupError("the oracle finds no way to the goal")
    return min(found, key=len)


def _bindings(skills: RearrangeSkills, goal: Goal) -> Iterator[list[Atom]]:
    """Sets of predicates that make the goal true, most promising first."""
    if isinstance(goal, str):
        yield [predicate(goal)]
        return
    inputs = goal.get("inputs") or []
    entities = skills.entities()
    fixed = [
        a for part in goal["sub_exprs"] if not isinstance(part, str) for a in _away(skills, part)
    ]
    atoms = [predicate(part) for part in goal["sub_exprs"] if isinstance(part, str)]
    names = [i["name"] for i in inputs]
    ways = product(*(entities[i["expr_type"]] for i in inputs))
    bound = [[_bind(a, dict(zip(names, way, strict=True))) for a in atoms] for way in ways]
    if goal.get("quantifier") == "FORALL":
        yield fixed + list(dict.fromkeys(a for way in bound for a in way))
        return
    for way in bound:
        yield fixed + way


def _bind(atom: Atom, names: Mapping[str, str]) -> Atom:
    return atom[0], tuple(names.get(a, a) for a in atom[1])


def _away(skills: RearrangeSkills, part: Json) -> list[Atom]:
    """What to do for NAND: bring everything that makes the part true elsewhere."""
    if part["expr_type"] != "NAND":
        raise LookupError(f"the oracle cannot plan for {part['expr_type']}")
    moves: list[Atom] = []
    inputs = part.get("inputs") or []
    for way in product(*(skills.entities()[i["expr_type"]] for i in inputs)):
        names = dict(zip([i["name"] for i in inputs], way, strict=True))
        for text in part["sub_exprs"]:
            name, arguments = _bind(predicate(text), names)
            if name == "on_top" and skills.holds(name, arguments):
                place = next(p for p in _ELSEWHERE if p != arguments[1])
                moves.append(("on_top", (arguments[0], place)))
    return moves


class _Attempt:
    """One way to a goal, carried out on a copy of the world."""

    def __init__(self, skills: RearrangeSkills) -> None:
        self.skills, self.steps = skills, list[str]()

    def reach(self, wanted: Sequence[Atom], goal: Goal) -> list[str] | None:
        """The steps up to the goal; None when a step fails or the goal is not reached."""
        if goal_holds(goal, self.skills.entities(), self.skills.holds):
            return self._anything(goal)
        in_order = sorted(wanted, key=lambda a: _ORDER.get(a[0], 0))
        for name, arguments in in_order * 2:  # picking may take the wanted thing's twin at first
            if not self.skills.holds(name, arguments) and not self._make(name, arguments):
                return None
            if goal_holds(goal, self.skills.entities(), self.skills.holds):
                return self.steps
        return None

    def _anything(self, goal: Goal) -> list[str] | None:
        """One step that leaves a goal true: an episode is judged after a step, not before."""
        for place in RECEPTACLES:
            self._do(f"navigate to the {place}")
            if goal_holds(goal, self.skills.entities(), self.skills.holds):
                return self.steps[-1:]
        return None

    def _do(self, phrase: str) -> bool:
        self.steps.append(phrase)
        return self.skills.step(phrase)[0]

    def _make(self, name: str, arguments: tuple[str, ...]) -> bool:
        match name:
            case "on_top":
                return self._move(*arguments)
            case "robot_at":
                return self._do(f"navigate to the {arguments[0]}")
            case "opened_fridge" | "closed_fridge":
                verb = "open" if name == "opened_fridge" else "close"
                return self._do(f"navigate to the {FRIDGE_DOOR}") and self._do(
                    f"{verb} the {FRIDGE}"
                )
            case "opened_cab" | "closed_cab":
                verb = "open" if name == "opened_cab" else "close"
                there = self._do(f"navigate to the {arguments[0]}")
                return there and self._do(f"{verb} the {arguments[0]}")
        return False

    def _move(self, what: str, where: str) -> bool:
        world = self.skills.world
        shut = world.shut_in(what)
        cabinet = next((c for c, t in CABINETS.items() if shut and t == shut.id), None)
        if cabinet is not None and not (
            self._do(f"navigate to the {cabinet}") and self._do(f"open the {cabinet}")
        ):
            return False
        thing = world.things[what]
        if not self._within_reach(what):
            door = self._approach(what)
            if door is None or not self._do(f"navigate to the {door}"):
                return False
        return (
            self._do(f"pick up the {thing.kind.name}")
            and self._do(f"navigate to the {where}")
            and self._do(f"place at the {where}")
        )

    def _within_reach(self, what: str) -> bool:
        return bool(self.steps) and self._would_take(what)

    def _would_take(self, what: str) -> bool:
        found = self.skills.reachable(self.skills.world.things[what].kind.name)
        return bool(found) and found[0].id == what

    def _approach(self, what: str) -> str | None:
        """The first place, its own first, from which a thing is the nearest of its kind.

        Its own place where there is none such: its twin will do, or the attempt fails.
        """
        world = self.skills.world
        thing = world.things[what]
        eye, yaw, pitch = world.eye_xy, world.yaw_rad, world.pitch_rad
        try:
            for name in (thing.parent or "", *RECEPTACLES):
                if name in RECEPTACLES:
                    world.go(self.skills.thing(name).id)
                    if self._would_take(what):
                        return name
            return thing.parent if thing.parent in RECEPTACLES else None
        finally:
            world.eye_xy, world.yaw_rad, world.pitch_rad = eye, yaw, pitch
            world.changed()


_ORDER = {"on_top": 0, "not_holding": 1, "opened_fridge": 2, "closed_fridge": 2, "robot_at": 3}
