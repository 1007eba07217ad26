"""Whether an episode's goal is reached: ALFRED's seven goal types, and logic over predicates."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from er_bench.core.json_types import JsonObject

Thing = JsonObject
"""An object as AI2-THOR's metadata describes it (`objectId`, `pickupable`, ...)."""


def alfred_conditions(
    task_type: str, pddl_params: JsonObject, world: JsonObject
) -> tuple[int, int]:
    """(met, total) goal conditions, as `goal_conditions_met` of the released `env/tasks.py` counts.

    `world` holds `objects` (AI2-THOR metadata), `inventory` (held objects), and `heated`, `cooled`,
    `cleaned` (object ids). Names are matched as substrings of the object id, so that Knife accepts
    a ButterKnife and Pen a Pencil. A missing receptacle, which makes the released code raise for
    two objects, counts as nothing placed. Raises ValueError for an unknown task type.
    """
    if task_type not in ALFRED_RULES:
        raise ValueError(f"there is no ALFRED goal type {task_type!r}")
    rule, per_slice = ALFRED_RULES[task_type]
    name = str(pddl_params["object_target"])
    sliced = bool(pddl_params.get("object_sliced"))
    pickupables = _named(world, name + ("Sliced" if sliced else ""), "pickupable")
    met, total = rule(pickupables, pddl_params, world)
    if "Sliced" in name or sliced:
        slices = sum("Sliced" in p["objectId"] for p in pickupables)
        met, total = met + min(slices, per_slice), total + per_slice
    return met, total


def _named(world: JsonObject, name: object, prop: str) -> list[Thing]:
    return [o for o in world["objects"] if str(name or "") in o["objectId"] and o[prop]]


def _inside(receptacle: Thing, thing: Thing) -> bool:
    return thing["objectId"] in (receptacle["receptacleObjectIds"] or ())


Counted = tuple[int, int]


def _simple(things: list[Thing], params: JsonObject, world: JsonObject) -> Counted:
    receptacles = _named(world, params["parent_target"], "receptacle")
    return int(any(_inside(r, p) for p in things for r in receptacles)), 1


def _two(things: list[Thing], params: JsonObject, world: JsonObject) -> Counted:
    receptacles = _named(world, params["parent_target"], "receptacle")
    held = max((sum(_inside(r, p) for p in things) for r in receptacles), default=0)
    return min(held, 2), 2


def _light(things: list[Thing], params: JsonObject, world: JsonObject) -> Counted:
    lamps = _named(world, params["toggle_target"], "toggleable")
    inventory = world["inventory"]
    in_hand = bool(inventory) and inventory[0]["objectId"] in [p["objectId"] for p in things]
    return int(in_hand) + any(lamp["isToggled"] and lamp["visible"] for lamp in lamps), 2


def _changed(change: str) -> Callable[..., Counted]:
    def rule(things: list[Thing], params: JsonObject, world: JsonObject) -> Counted:
        receptacles = _named(world, params["parent_target"], "receptacle")
        placed = [p["objectId"] for p in things for r in receptacles if _inside(r, p)]
        changed = [p["objectId"] for p in things if p["objectId"] in world[change]]
        return bool(placed) + bool(changed) + any(p in changed for p in placed), 3

    return rule


def _movable(things: list[Thing], params: JsonObject, world: JsonObject) -> Counted:
    receptacles = _named(world, params["parent_target"], "receptacle")
    movables = _named(world, params["mrecep_target"], "pickupable")
    stacked = any(
        any(_inside(m, p) for p in things)
        and any(r["objectId"] in m["parentReceptacles"] for r in receptacles)
        for m in movables
        if m["parentReceptacles"] is not None
    )
    in_movable = any(_inside(m, p) for p in things for m in movables)
    movable_placed = any(_inside(r, m) for m in movables for r in receptacles)
    return in_movable + movable_placed + stacked, 3


ALFRED_RULES: dict[str, tuple[Callable[..., Counted], int]] = {
    "pick_and_place_simple": (_simple, 1),
    "pick_two_obj_and_place": (_two, 2),
    "look_at_obj_in_light": (_light, 1),
    "pick_heat_then_place_in_recep": (_changed("heated"), 1),
    "pick_cool_then_place_in_recep": (_changed("cooled"), 1),
    "pick_clean_then_place_in_recep": (_changed("cleaned"), 1),
    "pick_and_place_with_movable_recep": (_movable, 1),
}
"""Each goal type's rule, and how many conditions `object_sliced` adds."""

Holds = Callable[[str, tuple[str, ...]], bool]
"""Whether a predicate holds for its arguments."""


def predicate(text: str) -> tuple[str, tuple[str, ...]]:
    """`on_top(X, table)` as name and arguments. Raises ValueError."""
    name, bracket, rest = text.strip().partition("(")
    if not bracket or not rest.endswith(")") or "(" in rest or not name.isidentifier():
        raise ValueError(f"not a predicate: {text!r}")
    return name, tuple(filter(None, (a.strip() for a in rest[:-1].split(","))))


def goal_holds(goal: JsonObject | str, entities: Mapping[str, Sequence[str]], holds: Holds) -> bool:
    """Whether a PDDL goal of EB-Habitat holds.

    A goal is a predicate, or `{expr_type: AND|NAND|OR|NOR, sub_exprs, quantifier?: EXISTS|FORALL,
    inputs?: [{name, expr_type}]}` (habitat-lab 0.3.0, multi_task/pddl_logical_expr.py). `entities`
    lists the entities of each type. As there, two variables may stand for one entity, FORALL over
    nothing is true and EXISTS over nothing false. Raises ValueError for anything else.
    """
    return _holds(goal, {}, entities, holds)


def _holds(
    goal: JsonObject | str,
    bound: Mapping[str, str],
    entities: Mapping[str, Sequence[str]],
    holds: Holds,
) -> bool:
    if isinstance(goal, str):
        name, arguments = predicate(goal)
        return holds(name, tuple(bound.get(a, a) for a in arguments))
    quantifier, inputs = goal.get("quantifier"), goal.get("inputs") or []
    if not quantifier:
        return _joined(goal, bound, entities, holds)
    if quantifier not in ("EXISTS", "FORALL"):
        raise ValueError(f"there is no quantifier {quantifier!r}")
    names = [i["name"] for i in inputs]
    ranges = [_of_type(entities, i["expr_type"]) for i in inputs]
    results = (
        _joined(goal, {**bound, **dict(zip(names, chosen, strict=True))}, entities, holds)
        for chosen in itertools.product(*ranges)
    )
    return any(results) if quantifier == "EXISTS" else all(results)


def _joined(
    goal: JsonObject,
    bound: Mapping[str, str],
    entities: Mapping[str, Sequence[str]],
    holds: Holds,
) -> bool:
    joins: dict[str, Callable[[Iterable[bool]], bool]] = {
        "AND": all,
        "OR": any,
        "NAND": lambda parts: not all(parts),
        "NOR": lambda parts: not any(parts),
    }
    kind = goal.get("expr_type")
    if kind not in joins:
        raise ValueError(f"there is no expression type {kind!r}")
    return joins[kind](_holds(part, bound, entities, holds) for part in goal["sub_exprs"])


def _of_type(entities: Mapping[str, Sequence[str]], kind: str) -> Sequence[str]:
    if kind not in entities:
        raise ValueError(f"there is no entity type {kind!r}")
    return entities[kind]


def predicates_of(goal: JsonObject | str) -> list[tuple[str, tuple[str, ...]]]:
    """Every predicate of a goal, in order, variables as they are written."""
    if isinstance(goal, str):
        return [predicate(goal)]
    return [found for part in goal["sub_exprs"] for found in predicates_of(part)]
