"""What can be asked for in `home_alfred`: each goal furnishes a draft with truth and words."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from er_bench.worlds.home.descriptions import DESCRIPTIONS, a, onto, plain
from er_bench.worlds.home.rooms import furnish
from er_bench.worlds.home.world import KINDS, Thing, World

SIMPLE, LIGHT, TWO = "pick_and_place_simple", "look_at_obj_in_light", "pick_two_obj_and_place"
HEAT, COOL, CLEAN = (f"pick_{how}_then_place_in_recep" for how in ("heat", "cool", "clean"))
STACK = "pick_and_place_with_movable_recep"

_FOOD = ("Apple", "Tomato", "Potato", "Bread", "Egg", "Lettuce")
_DISHES = ("Mug", "Cup", "Bowl", "Plate", "Pan", "Pot")
_TOOLS = ("Knife", "Fork", "Spoon", "ButterKnife", "Spatula", "DishSponge", "SoapBottle")
_DESK = ("Book", "Pen", "Pencil", "CellPhone", "KeyChain", "CreditCard", "Laptop", "Watch", "CD")
_LIVING = ("RemoteControl", "Candle", "Vase", "Statue", "Newspaper", "Pillow", "Box", "WateringCan")
_BATH = ("SoapBar", "SoapBottle", "SprayBottle", "Cloth", "ToiletPaper", "Candle", "TissueBox")
STOCK: dict[str, tuple[str, ...]] = {
    "kitchen": (*_FOOD, *_DISHES, *_TOOLS, "Kettle"),
    "living": (*_LIVING, *_DESK),
    "bedroom": (*_DESK, "AlarmClock", "Pillow", "BasketBall", "Box", "Vase", "TissueBox", "Bowl"),
    "bathroom": (*_BATH, "DishSponge"),
}
_OPEN_AIR = (
    "CounterTop",
    "DiningTable",
    "CoffeeTable",
    "SideTable",
    "Desk",
    "Dresser",
    "Shelf",
    "Cart",
    "Sofa",
    "ArmChair",
    "Bed",
    "Ottoman",
)
_HIDDEN = ("Cabinet", "Drawer", "Fridge")
_GOALS_AT: dict[str, tuple[str, ...]] = {
    "kitchen": ("DiningTable", "SideTable", "Cart", "Fridge", "GarbageCan", "Sink", "Cabinet"),
    "living": ("Sofa", "ArmChair", "CoffeeTable", "Dresser", "Ottoman", "GarbageCan", "Shelf"),
    "bedroom": ("Bed", "Desk", "Dresser", "ArmChair", "Safe", "GarbageCan", "SideTable"),
    "bathroom": ("Toilet", "Cart", "Bathtub", "GarbageCan", "SideTable", "Shelf", "Sink"),
}


class Unfit(Exception):
    """A draft that does not make a good episode; the next seed is tried."""


@dataclass
class Draft:
    """An episode under construction."""

    rng: random.Random
    world: World
    room_type: str
    scene: str
    goal: dict[str, Any] = field(default_factory=dict)
    instruction: str = ""
    key: str = "put down"
    """The key step is the last action that starts with this, the first one for cooling."""
    others: list[dict[str, str]] = field(default_factory=list)
    """What else the words could mean: changes of the goal that only looking can rule out."""

    def of(self, kind_name: str) -> list[Thing]:
        """The things of a kind."""
        return [t for t in self.world.things.values() if t.kind.name == kind_name]

    def put(self, kind_name: str, receptacle: Thing, colour: str | None = None) -> Thing:
        """One more thing, on or in a receptacle."""
        kind = KINDS[kind_name]
        spot = self.world.free_spot(receptacle.id, kind)
        if spot is None:
            raise Unfit(f"no room for {kind_name} at {receptacle.id}")
        free = self.world.free_spots(receptacle.id)
        thing_id = f"{kind_name}|{len(self.of(kind_name)) + 1:02d}"
        thing = Thing(
            thing_id, kind, colour or kind.colours[0], receptacle.id, self.rng.choice(free)
        )
        self.world.things[thing_id] = thing
        return thing

    def somewhere(self, kind_name: str, hidden: float = 0.0, not_at: tuple[str, ...] = ()) -> Thing:
        """One more thing in a likely place, behind a door with probability `hidden`."""
        pool = _HIDDEN if self.rng.random() < hidden else _OPEN_AIR
        places = [
            t
            for t in self.world.things.values()
            if t.kind.name in pool
            and t.kind.name not in not_at
            and t.id not in not_at
            and self.world.free_spot(t.id, KINDS[kind_name]) is not None
        ]
        if not places:
            raise Unfit(f"no place for {kind_name}")
        return self.put(kind_name, self.rng.choice(places))

    def aim(self, task_type: str, what: str, where: str = "", **more: Any) -> None:
        """Set the goal in ALFRED's terms."""
        self.goal = {
            "task_type": task_type,
            "object_target": what,
            "parent_target": where,
            "mrecep_target": "",
            "toggle_target": "",
            "object_sliced": False,
        } | more


def furnished(room_type: str, rng: random.Random) -> Draft:
    """An empty draft in a furnished room."""
    scene = f"{room_type}_{rng.randrange(5)}"
    room, things = furnish(room_type, int(scene[-1]))
    draft = Draft(rng, World(room, things), room_type, scene)
    for name in ("Cabinet", "Drawer"):
        for thing in draft.of(name):
            thing.is_open = rng.random() < 0.15
    return draft


def clutter(draft: Draft, n: int, banned: tuple[str, ...]) -> None:
    """Fill the room with things that the goal is not about."""
    stock = [k for k in STOCK[draft.room_type] if k not in banned]
    for kind_name in draft.rng.sample(stock, min(n, len(stock))):
        try:
            thing = draft.somewhere(kind_name, hidden=0.2)
        except Unfit:
            continue
        thing.colour = draft.rng.choice(thing.kind.colours)


def _goal_place(draft: Draft, kind_name: str) -> str:
    fits = [
        name
        for name in _GOALS_AT[draft.room_type]
        if any(draft.world.free_spot(t.id, KINDS[kind_name]) is not None for t in draft.of(name))
    ]
    if not fits:
        raise Unfit(f"nowhere to bring {kind_name}")
    return draft.rng.choice(fits)


# What is to be done: each sets the goal and the words, and puts what is needed into the room.

Words = Callable[[str], str]
"""How a kind is called: plainly, or by a description."""


def plainly(kind_name: str) -> str:
    """The plain name with its article."""
    return f"the {plain(kind_name)}"


def by_description(kind_name: str) -> str:
    """The description of a kind, where there is one."""
    return DESCRIPTIONS.get(kind_name, plainly(kind_name))


def carry(draft: Draft, words: Words) -> None:
    """Carry one thing to a place."""
    what = draft.rng.choice(
        [k for k in STOCK[draft.room_type] if words is plainly or k in DESCRIPTIONS]
    )
    where = _goal_place(draft, what)
    draft.somewhere(what, hidden=0.2, not_at=(where,))
    draft.aim(SIMPLE, what, where)
    one = words(what) if words is not plainly else a(what)
    draft.instruction = draft.rng.choice(("Put {} {} {}.", "Bring {} and leave it {} {}.")).format(
        one, onto(where), words(where)
    )


def look_by_lamp(draft: Draft, words: Words) -> None:
    """Look at a thing by the light of a lamp."""
    lamps = [n for n in ("DeskLamp", "FloorLamp") if draft.of(n)]
    if not lamps:
        raise Unfit("no lamp")
    lamp = draft.rng.choice(lamps)
    small = [k for k in STOCK[draft.room_type] if KINDS[k].bulk < 3]
    what = draft.rng.choice([k for k in small if words is plainly or k in DESCRIPTIONS])
    draft.somewhere(what)
    draft.aim(LIGHT, what, toggle_target=lamp)
    draft.key = "turn on"
    one = words(what) if words is not plainly else a(what)
    draft.instruction = f"Look at {one} by the light of {words(lamp)}."


def two_things(draft: Draft, words: Words) -> None:
    """Carry two things of a kind to one place."""
    what = draft.rng.choice([k for k in STOCK[draft.room_type] if KINDS[k].bulk < 3])
    where = _goal_place(draft, what)
    for _ in range(2):
        draft.somewhere(what, not_at=(where,))
    draft.aim(TWO, what, where)
    draft.instruction = (
        f"Find two things of one kind, {plain(what)}, and put both {onto(where)} {words(where)}."
    )


def treat(draft: Draft, how: str, words: Words, sliced: bool = False, hidden: float = 0.2) -> None:
    """Heat, cool or wash a thing, sliced or whole, and carry it to a place."""
    stock: dict[str, tuple[str, ...]] = {
        HEAT: (*_FOOD, "Mug", "Cup"),
        COOL: (*_FOOD, "Mug", "Bowl"),
        CLEAN: (*_DISHES, "Spoon", "Fork"),
    }
    if draft.room_type == "bathroom":
        stock[CLEAN] = ("Cloth", "DishSponge", "SoapBar")
    fits = [k for k in stock[how] if not sliced or KINDS[k].sliceable]
    what = draft.rng.choice([k for k in fits if words is plainly or k in DESCRIPTIONS])
    where = _goal_place(draft, what)
    if where in ("Sink", "Fridge", "GarbageCan"):
        raise Unfit("no place to serve")
    draft.somewhere(what, hidden, not_at=(where,))
    if sliced:
        draft.somewhere("Knife", not_at=())
    draft.aim(how, what, where, object_sliced=sliced)
    draft.key = {HEAT: "turn on", COOL: "close the Fridge", CLEAN: "turn on"}[how]
    done = {HEAT: "a heated", COOL: "a chilled", CLEAN: "a washed"}[how]
    thing = f"slice of {what.lower()}" if sliced else plain(what)
    if words is not plainly:
        verb = {HEAT: "Warm", COOL: "Chill", CLEAN: "Wash"}[how]
        cut = " after cutting it up" if sliced else ""
        draft.instruction = f"{verb} {words(what)}{cut}, then put it {onto(where)} {words(where)}."
    else:
        draft.instruction = f"Put {done} {thing} {onto(where)} {plainly(where)}."


def carry_in(draft: Draft, words: Words) -> None:
    """Put a thing into a vessel and carry both to a place."""
    pairs = [
        ("Fork", "Plate"),
        ("Spoon", "Bowl"),
        ("Apple", "Bowl"),
        ("Egg", "Pan"),
        ("Pen", "Mug"),
    ]
    if draft.room_type in ("living", "bedroom"):
        pairs = [("KeyChain", "Box"), ("Watch", "Box"), ("CellPhone", "Box"), ("CD", "Box")]
    what, carrier = draft.rng.choice(pairs)
    where = _goal_place(draft, carrier)
    if KINDS[where].max_bulk < 3 or where == "Sink":
        raise Unfit("too small a place")
    draft.somewhere(what, 0.1, not_at=(where,))
    holder = draft.somewhere(carrier, not_at=(where,))
    holder.is_open = holder.kind.openable
    draft.aim(STACK, what, where, mrecep_target=carrier)
    draft.instruction = (
        f"Put {a(what)} {onto(carrier)} {a(carrier)}, then take the {plain(carrier)} with the "
        f"{plain(what)} to {words(where)}."
    )


# Words that only looking resolves.

_COLOURED = ("Mug", "Cup", "Bowl", "Plate", "Book", "Candle", "Vase", "Pillow")


def red_one(draft: Draft, how: str = SIMPLE) -> None:
    """One of three of a kind, told by its colour."""
    fits = [k for k in _COLOURED if k in STOCK[draft.room_type] or draft.room_type == "living"]
    if how == CLEAN:
        fits = [k for k in fits if k in _DISHES]
    if not fits:
        raise Unfit("nothing coloured here")
    what = draft.rng.choice(fits)
    where = _goal_place(draft, what)
    colours = draft.rng.sample(KINDS[what].colours, 3)
    made = [draft.somewhere(what, not_at=(where,)) for _ in colours]
    if len({t.parent for t in made}) < 3:
        raise Unfit("two in one place: taking one could take the other")
    for thing, colour in zip(made, colours, strict=True):
        thing.colour = colour
    wanted = draft.rng.choice(made)
    draft.aim(how, wanted.id, where)
    draft.others = [{"object_target": t.id} for t in made if t is not wanted]
    verb = "Wash the" if how == CLEAN else "Put the"
    then = "and put it " if how == CLEAN else ""
    draft.instruction = (
        f"{verb} {wanted.colour} {plain(what)} {then}{onto(where)} {plainly(where)}."
    )


def blue_door(draft: Draft) -> None:
    """A receptacle told by the colour of its door or top."""
    groups = [n for n in ("Cabinet", "Drawer", "SideTable", "ArmChair") if len(draft.of(n)) >= 2]
    group = draft.rng.choice(groups)
    doors = draft.of(group)
    colours = [t.colour for t in doors]
    wanted = draft.rng.choice([t for t in doors if colours.count(t.colour) == 1])
    what = draft.rng.choice([k for k in STOCK[draft.room_type] if KINDS[k].bulk < 3])
    draft.somewhere(what, not_at=tuple(t.id for t in doors))
    draft.aim(SIMPLE, what, wanted.id)
    draft.others = [{"parent_target": t.id} for t in doors if t is not wanted]
    draft.instruction = f"Put {a(what)} {onto(group)} the {wanted.colour} {plain(group)}."
    for thing in doors:
        thing.is_open = False


def open_one(draft: Draft) -> None:
    """The one cabinet or drawer that stands open."""
    group = draft.rng.choice([n for n in ("Cabinet", "Drawer") if len(draft.of(n)) >= 2])
    doors = draft.of(group)
    wanted = draft.rng.choice(doors)
    for thing in doors:
        thing.is_open = thing is wanted
    what = draft.rng.choice([k for k in STOCK[draft.room_type] if KINDS[k].bulk < 3])
    draft.somewhere(what, not_at=tuple(t.id for t in doors))
    draft.aim(SIMPLE, what, wanted.id)
    draft.instruction = f"Somebody left one {plain(group)} open. Put {a(what)} into it."


def beside(draft: Draft) -> None:
    """One of two of a kind, told by what stands beside it."""
    kinds = [k for k in STOCK[draft.room_type] if KINDS[k].bulk == 2 and not KINDS[k].spots]
    what, first, second = draft.rng.sample(kinds, 3)
    where = _goal_place(draft, what)
    places = [t for t in draft.world.things.values() if t.kind.name in _OPEN_AIR]
    places = [t for t in places if len(t.kind.spots) >= 2 and t.kind.name != where]
    if len(places) < 2:
        raise Unfit("too few tables")
    made = []
    for place, neighbour in zip(draft.rng.sample(places, 2), (first, second), strict=True):
        made.append(draft.put(what, place))
        draft.put(neighbour, place)
    draft.aim(SIMPLE, made[0].id, where)
    draft.others = [{"object_target": made[1].id}]
    draft.instruction = (
        f"Take the {plain(what)} that stands by the {plain(first)} and put it "
        f"{onto(where)} {plainly(where)}."
    )


def outermost(draft: Draft) -> None:
    """The cabinet at one end of the row, as one faces it."""
    doors = draft.of("Cabinet")
    if len(doors) < 2:
        raise Unfit("no row of cabinets")
    side = draft.rng.choice(("left", "right"))
    row = sorted(doors, key=lambda t: t.at_m[0])
    wanted = row[0] if side == "left" else row[-1]
    for thing in doors:
        thing.is_open = False
    what = draft.rng.choice([k for k in STOCK[draft.room_type] if KINDS[k].bulk < 3])
    draft.somewhere(what)
    draft.aim(SIMPLE, what, wanted.id)
    draft.others = [{"parent_target": t.id} for t in doors if t is not wanted]
    draft.instruction = f"Put {a(what)} in the cabinet furthest to the {side} of the row."


def nearest(draft: Draft) -> None:
    """The receptacle of its kind that is nearest to a landmark."""
    groups = [n for n in ("CounterTop", "SideTable", "Shelf", "ArmChair") if len(draft.of(n)) == 2]
    marks = [
        n for n in ("Fridge", "DeskLamp", "FloorLamp", "Microwave", "Safe", "Toilet", "Window")
    ]
    marks = [n for n in marks if draft.of(n)]
    if not groups or not marks:
        raise Unfit("no pair of places or no landmark")
    group, mark = draft.rng.choice(groups), draft.rng.choice(marks)
    spot = draft.world.centre(draft.of(mark)[0].id)
    far = {
        t.id: float(((draft.world.centre(t.id) - spot)[:2] ** 2).sum()) ** 0.5
        for t in draft.of(group)
    }
    near, other = sorted(far, key=far.__getitem__)
    if far[other] - far[near] < 0.8:
        raise Unfit("both about as near")
    what = draft.rng.choice([k for k in STOCK[draft.room_type] if KINDS[k].bulk < 3])
    draft.somewhere(what, not_at=(group,))
    draft.aim(SIMPLE, what, near)
    draft.others = [{"parent_target": other}]
    draft.instruction = f"Put {a(what)} on the {plain(group)} closest to {plainly(mark)}."
