"""Episodes of `home_rearrange`, from a seed; `episode_proof.py` proves each before it is kept."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from er_bench.worlds.home import episode_proof
from er_bench.worlds.home.apartment import made_up
from er_bench.worlds.home.descriptions import CATEGORY_DESCRIPTIONS, FRAMES, PLACE_DESCRIPTIONS
from er_bench.worlds.home.oracle_rearrange import plan as oracle_plan
from er_bench.worlds.home.rearrange import FRIDGE, LEFT_DRAWER, RIGHT_DRAWER, RearrangeSkills
from er_bench.worlds.home.skills import start
from er_bench.worlds.home.world import KINDS, Thing, World, room_to_json, thing_to_json

SUBSETS = (
    "base",
    "common_sense",
    "complex_instruction",
    "spatial_relationship",
    "visual_appearance",
    "long_horizon",
)
PER_SUBSET = 20
N_FLATS = 10
LEFT, RIGHT, SINK = (
    "left counter in the kitchen",
    "right counter in the kitchen",
    "sink in the kitchen",
)
SURFACES = (LEFT, RIGHT, SINK, "table 1", "table 2", "TV stand", "sofa")
TABLES = ("table 1", "table 2")
_CALLED = {
    LEFT: "left counter",
    RIGHT: "right counter",
    SINK: "sink",
    "chair 1": "chair",
}
_ROOMY = (LEFT, RIGHT, "table 1", "table 2", "TV stand", "sofa")

Goal = dict[str, Any]
Words = Callable[[str], str]


class Unfit(Exception):
    """A draft that does not make a good episode; the next seed is tried."""


@dataclass
class Draft:
    """An episode under construction."""

    rng: random.Random
    world: World
    scene: str
    goal: Goal = field(default_factory=dict)
    instruction: str = ""
    key: str = "place"
    """The key step is the last action that starts with this."""
    others: list[Goal] = field(default_factory=list)
    """Goals that the words could mean as well; only looking rules them out."""

    def put(self, category: str, place: str, colour: str | None = None) -> Thing:
        """One more thing at a place."""
        free = self.world.free_spots(self.world.things[place].id)
        if not free:
            raise Unfit(f"no room at {place}")
        kind = KINDS[category]
        number = sum(t.kind is kind for t in self.world.things.values()) + 1
        thing_id = f"{category}|{number:02d}"
        spot = self.rng.choice(free)
        thing = Thing(thing_id, kind, colour or self.rng.choice(kind.colours), place, spot)
        self.world.things[thing_id] = thing
        return thing

    def categories(self, n: int) -> list[str]:
        """Categories not yet in the flat."""
        present = {t.kind.name for t in self.world.things.values()}
        pool = [c for c in CATEGORY_DESCRIPTIONS if c not in present]
        return self.rng.sample(pool, n)

    def places(self, n: int, pool: tuple[str, ...] = SURFACES) -> list[str]:
        """Different places."""
        return self.rng.sample(pool, n)


def exists(types: Mapping[str, str], *parts: Any) -> Goal:
    """There are things of these types, by variable, for which every part holds."""
    inputs = [{"name": n, "expr_type": t} for n, t in types.items()]
    return {"expr_type": "AND", "quantifier": "EXISTS", "inputs": inputs, "sub_exprs": list(parts)}


def every(category: str, place: str) -> Goal:
    """All things of a category are at a place."""
    inputs = [{"name": "X", "expr_type": category}]
    parts = [f"on_top(X, {place})", "not_holding()"]
    return {"expr_type": "AND", "quantifier": "FORALL", "inputs": inputs, "sub_exprs": parts}


def none_at(category: str, place: str) -> Goal:
    """A thing of a category is not at a place, as EB-Habitat puts it; the drafts have one only."""
    inputs = [{"name": "X", "expr_type": category}]
    parts = [f"on_top(X, {place})"]
    nand = {"expr_type": "NAND", "quantifier": "EXISTS", "inputs": inputs, "sub_exprs": parts}
    return {"expr_type": "AND", "sub_exprs": ["not_holding()", nand]}


def this_at(thing: Thing, place: str) -> Goal:
    """One thing, told by its id, is at a place."""
    return {"expr_type": "AND", "sub_exprs": [f"on_top({thing.id}, {place})", "not_holding()"]}


def _the(name: str) -> str:
    return f"the {_CALLED.get(name, name)}"


def _described(name: str) -> str:
    return CATEGORY_DESCRIPTIONS.get(name) or PLACE_DESCRIPTIONS.get(name) or _the(name)


# What is to be done.


def _move(d: Draft, words: Words) -> None:
    (what,), (source, target) = d.categories(1), d.places(2)
    d.put(what, source)
    d.goal = exists({"X": what}, f"on_top(X, {target})", "not_holding()")
    form = d.rng.choice(("Find {} and move it to {}.", "Bring {} to {}.", "Put {} at {}."))
    d.instruction = form.format(words(what), words(target))


def _clear(d: Draft, words: Words) -> None:
    (what,), (source,) = d.categories(1), d.places(1)
    d.put(what, source)
    d.goal = none_at(what, source)
    d.instruction = f"Take {words(what)} away from {words(source)} and leave it anywhere else."


def _two(d: Draft, words: Words) -> None:
    (one, two), (a, b, c) = d.categories(2), d.places(3)
    d.put(one, a)
    d.put(two, b)
    d.goal = exists({"X": one, "Y": two}, f"on_top(X, {c})", f"on_top(Y, {c})", "not_holding()")
    d.instruction = f"Bring both {words(one)} and {words(two)} to {words(c)}."


def _fridge(d: Draft, words: Words) -> None:
    (what,), (source,) = d.categories(1), d.places(1, _ROOMY)
    d.put(what, source)
    d.world.things[FRIDGE].is_open = True
    d.key = "close"
    d.goal = exists(
        {"X": what}, f"on_top(X, {FRIDGE})", f"closed_fridge({FRIDGE})", "not_holding()"
    )
    d.instruction = f"Put {words(what)} into {words(FRIDGE)}, and see that its door is shut after."


def _drawer(d: Draft, words: Words) -> None:
    (what,), (target,) = d.categories(1), d.places(1, ("table 1", "table 2", "TV stand", "sofa"))
    drawer = d.rng.choice((LEFT_DRAWER, RIGHT_DRAWER))
    d.put(what, drawer)
    d.goal = exists({"X": what}, f"on_top(X, {target})", "not_holding()")
    d.instruction = f"Bring {words(what)}, which is in {_the(drawer)}, to {words(target)}."


def _beside_sink(d: Draft) -> None:
    """A counter told by its side of the sink."""
    (what,), (source,) = d.categories(1), d.places(1, ("table 1", "table 2", "TV stand", "sofa"))
    side, target = d.rng.choice((("left", LEFT), ("right", RIGHT)))
    d.put(what, source)
    d.goal = exists({"X": what}, f"on_top(X, {target})", "not_holding()")
    d.instruction = f"Put {_the(what)} on the surface directly to the {side} of the sink."


def _by_neighbour(d: Draft) -> None:
    """One of two things of a category, told by what lies around it."""
    what, one, two = d.categories(3)
    a, b, target = d.places(3, _ROOMY)
    first, second = d.put(what, a), d.put(what, b)
    d.put(one, a)
    d.put(two, b)
    d.goal, d.others = this_at(first, target), [this_at(second, target)]
    d.instruction = (
        f"Take the {what} that shares its place with the {one} and bring it to {_the(target)}."
    )


def _nearest_table(d: Draft) -> None:
    """The table that is nearest to a landmark."""
    (what,) = d.categories(1)
    (source,) = d.places(1, (LEFT, RIGHT))
    mark = d.rng.choice((FRIDGE, "sofa", "TV stand"))
    spot = d.world.centre(mark)
    far = {t: float(((d.world.centre(t) - spot)[:2] ** 2).sum()) ** 0.5 for t in TABLES}
    near, other = sorted(far, key=far.__getitem__)
    if far[other] - far[near] < 1.0:
        raise Unfit("both about as near")
    d.put(what, source)
    d.goal = exists({"X": what}, f"on_top(X, {near})", "not_holding()")
    d.others = [exists({"X": what}, f"on_top(X, {other})", "not_holding()")]
    d.instruction = f"Put {_the(what)} on the table that is closest to {_the(mark)}."


def _coloured_table(d: Draft) -> None:
    """A table told by its colour, which differs from flat to flat."""
    (what,) = d.categories(1)
    (source,) = d.places(1, (LEFT, RIGHT, "sofa", "TV stand"))
    for name, colour in zip(TABLES, d.rng.sample(("white", "black", "brown"), 2), strict=True):
        d.world.things[name].colour = colour
    target, other = d.rng.sample(TABLES, 2)
    d.put(what, source)
    d.goal = exists({"X": what}, f"on_top(X, {target})", "not_holding()")
    d.others = [exists({"X": what}, f"on_top(X, {other})", "not_holding()")]
    d.instruction = f"Put {_the(what)} on the {d.world.things[target].colour} table."


def _coloured_thing(d: Draft) -> None:
    """One of two things of a category, told by its colour."""
    present = {t.kind.name for t in d.world.things.values()}
    pool = [c for c in CATEGORY_DESCRIPTIONS if len(KINDS[c].colours) > 1 and c not in present]
    what = d.rng.choice(pool)
    a, b, target = d.places(3, _ROOMY)
    colours = d.rng.sample(KINDS[what].colours, 2)
    first, second = d.put(what, a, colours[0]), d.put(what, b, colours[1])
    d.goal, d.others = this_at(first, target), [this_at(second, target)]
    d.instruction = f"Bring the {first.colour} {what} to {_the(target)}."


def _three(d: Draft) -> None:
    kinds, places = d.categories(3), d.places(6)
    for what, source in zip(kinds, places, strict=False):
        d.put(what, source)
    targets = places[3:]
    parts = [f"on_top({v}, {t})" for v, t in zip("XYZ", targets, strict=True)]
    d.goal = exists(dict(zip("XYZ", kinds, strict=True)), *parts, "not_holding()")
    told = [f"the {k} to {_the(t)}" for k, t in zip(kinds, targets, strict=True)]
    d.instruction = f"Bring {told[0]}, {told[1]} and {told[2]}."


def _all_of(d: Draft) -> None:
    (what,), places = d.categories(1), d.places(4, _ROOMY)
    for source in places[:3]:
        d.put(what, source)
    d.goal = every(what, places[3])
    d.instruction = f"Collect every {what} in the flat at {_the(places[3])}; there are three."


def _swap(d: Draft) -> None:
    (one, two), (a, b) = d.categories(2), d.places(2, _ROOMY)
    d.put(one, a)
    d.put(two, b)
    d.goal = exists({"X": one, "Y": two}, f"on_top(X, {b})", f"on_top(Y, {a})", "not_holding()")
    d.goal["sub_exprs"].append(f"opened_fridge({FRIDGE})")
    d.key = "open"
    d.instruction = (
        f"Let the {one} and the {two} trade places: the {one} to {_the(b)}, the {two} to "
        f"{_the(a)}. Leave the refrigerator open for me."
    )


def _compose(d: Draft, subset: str, index: int) -> None:
    match subset:
        case "base":
            (_move, _clear, _move, _two, _fridge, _drawer)[index % 6](d, _the)
        case "common_sense":
            (_move, _move, _clear, _two, _fridge)[index % 5](d, _described)
        case "complex_instruction":
            (_move, _two, _drawer, _move, _fridge)[index % 5](d, _the)
            d.instruction = FRAMES[index % len(FRAMES)].format(d.instruction)
        case "spatial_relationship":
            (_beside_sink, _by_neighbour, _nearest_table)[index % 3](d)
        case "visual_appearance":
            (_coloured_table, _coloured_thing)[index % 2](d)
        case _:
            (_three, _all_of, _swap, _three)[index % 4](d)


def _clutter(d: Draft, n: int) -> None:
    """Fill the flat with things that the goal is not about."""
    for category in d.categories(n):
        try:
            d.put(category, d.rng.choice(SURFACES))
        except Unfit:
            continue


def _proved(d: Draft, subset: str, index: int) -> dict[str, Any]:
    """The episode as JSON. Raises Unfit when a proof fails, LookupError without a plan."""
    spec: dict[str, Any] = {
        "id": f"{subset}_{index:02d}",
        "subset": subset,
        "scene": d.scene,
        "skills": "rearrange",
        "instruction": d.instruction[0].upper() + d.instruction[1:],
        "goal": d.goal,
        "room": room_to_json(d.world.room),
        "things": [thing_to_json(t) for t in d.world.things.values()],
    }

    def plan_for(goal: Goal) -> list[str]:
        skills = start(spec)
        assert isinstance(skills, RearrangeSkills)
        return oracle_plan(skills, goal)

    spec["plan"] = plan_for(d.goal)
    keys = [k for k, name in enumerate(spec["plan"]) if name.startswith(d.key)]
    if not keys:
        raise Unfit("the plan has no key step")
    spec["key_step"] = keys[-1]
    spec["mistaken_plans"] = [plan_for(goal) for goal in d.others]
    fault = episode_proof.fault(spec)
    if fault:
        raise Unfit(fault)
    return spec


def episode(subset: str, index: int, seed: int) -> dict[str, Any]:
    """One proved episode, as it is shipped. Raises RuntimeError when no draft will do."""
    for attempt in range(100):
        rng = random.Random(f"{seed}/{subset}/{index}/{attempt}")
        flat = rng.randrange(N_FLATS)
        room, things = made_up(flat)
        draft = Draft(rng, World(room, things), f"flat_{flat}")
        try:
            _compose(draft, subset, index)
            _clutter(draft, 16)
            return _proved(draft, subset, index)
        except (Unfit, LookupError):
            continue
    raise RuntimeError(f"no draft of {subset} {index} can be proved")


def generate(seed: int, per_subset: int = PER_SUBSET) -> list[dict[str, Any]]:
    """All episodes, subset by subset."""
    return [episode(subset, k, seed) for subset in SUBSETS for k in range(per_subset)]
