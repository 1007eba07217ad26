"""The `alfred` skills: find, pick up, put down, drop, open, close, turn on, turn off, slice.

Rules and feedback strings: EmbodiedBench `envs/eb_alfred/thor_connector.py` and `EBAlfEnv.py`,
commit b247936. Navigation is by teleport. Counts of failed puts are kept for one episode only;
the released connector never forgets them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from er_bench.worlds.home.furniture import FURNITURE, SCENERY
from er_bench.worlds.home.objects import OBJECTS
from er_bench.worlds.home.world import Nesting, Thing, World

SUCCESS = "Last action executed successfully."
INVALID = "Last action is invalid. "
KNIVES = ("Knife", "ButterKnife")
_MAX_PUTS = 3
"""Failed puts on one receptacle before the thing is dropped."""
_NAMED = [k for k in (*FURNITURE.values(), *OBJECTS.values()) if k.name not in SCENERY]


def _global_actions() -> list[str]:
    picks = [k.name for k in _NAMED if k.pickupable]
    opens = [k.name for k in _NAMED if k.openable]
    toggles = [k.name for k in _NAMED if k.toggleable]
    return [
        *(f"find a {k.name}" for k in _NAMED),
        *(f"pick up the {name}" for name in picks),
        "put down the object in hand",
        "drop the object in hand",
        *(f"{verb} the {name}" for name in opens for verb in ("open", "close")),
        *(f"turn {way} the {name}" for name in toggles for way in ("on", "off")),
        *(f"slice the {k.name}" for k in _NAMED if k.sliceable),
    ]


GLOBAL_ACTIONS = tuple(_global_actions())


def instance_names(things: Iterable[Thing]) -> dict[str, str]:
    """Ids by name for kinds with several instances: `Cabinet`, `Cabinet_2` and so on.

    EBAlfEnv.py `generate_additional_action_space`: in the order of the world.
    """
    by_kind: dict[str, list[str]] = {}
    for thing in things:
        if (thing.kind.receptacle or thing.kind.pickupable) and thing.kind.name not in SCENERY:
            by_kind.setdefault(thing.kind.name, []).append(thing.id)
    return {
        kind if k == 0 else f"{kind}_{k + 1}": thing_id
        for kind, ids in by_kind.items()
        if len(ids) > 1
        for k, thing_id in enumerate(ids)
    }


def action_names(world: World) -> tuple[str, ...]:
    """The actions of an episode: the global ones, then those of further instances."""
    names = instance_names(world.things.values())
    further = {name: world.things[i].kind for name, i in names.items() if "_" in name}
    holders = sorted(name for name, kind in further.items() if kind.receptacle)
    return (
        *GLOBAL_ACTIONS,
        *(f"find a {name}" for name in holders),
        *(
            f"{verb} the {name}"
            for name in holders
            if further[name].openable
            for verb in ("open", "close")
        ),
        *(f"find a {name}" for name, kind in further.items() if not kind.receptacle),
    )


class Refused(Exception):
    """An action that cannot be done; its text is the feedback."""


class AlfredSkills:
    """One episode's skills on a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.actions = action_names(world)
        self.names = instance_names(world.things.values())
        """Ids by indexed name."""
        self._target: str | None = None
        """What `find` went to last; `put down` uses it."""
        self._failed_puts: dict[str, int] = {}

    def step(self, name: str) -> tuple[bool, str]:
        """Do an action: whether it could be done, and the feedback. Raises ValueError."""
        if name not in self.actions:
            raise ValueError(f"there is no action {name!r}")
        if not name.startswith(("find a", "put down", "open")):
            self._target = None
        self.world.changed()
        try:
            self._do(name)
        except Refused as refusal:
            return False, INVALID + str(refusal)
        finally:
            self.world.changed()
        return True, SUCCESS

    def _do(self, phrase: str) -> None:
        name = phrase.rsplit(" ", 1)[-1]
        match phrase.split(" ")[:2]:
            case ["find", _]:
                self._find(name)
            case ["pick", _]:
                self._pick(name)
            case ["put", _]:
                self._put()
            case ["drop", _]:
                self._drop()
            case ["open", _]:
                self._open(name)
            case ["close", _]:
                self._close(name)
            case ["turn", way]:
                self._turn(name, way)
            case _:
                self._slice(name)

    # Which thing an action means.

    def _choose(self, name: str, exact: bool) -> Thing | None:
        """The thing of a name: by index where there is one, else the best of its kind."""
        if exact and name in self.names:
            return self.world.things.get(self.names[name])
        world = self.world
        same = [t for t in world.things.values() if t.kind.name == name and t.id != world.held]
        return same[0] if len(same) == 1 else min(same, key=self._reluctance, default=None)

    def _reluctance(self, thing: Thing) -> float:
        """Distance, with the released connector's penalties."""
        world = self.world
        cost = world.distance_m(thing.id)
        cost += 100_000 * (world.shut_in(thing.id) is not None)
        cost += 10_000 * (thing.kind.name == "StoveBurner" and bool(world.contents(thing.id)))
        cost += 1_000 * (not world.visible(thing.id))
        return cost - 100 * thing.is_sliced

    def _indexed(self, thing: Thing) -> str:
        return next((n for n, i in self.names.items() if i == thing.id), thing.kind.name)

    # The skills.

    def _find(self, name: str) -> None:
        thing = self._choose(name, exact=True)
        if thing is None or thing.id == self.world.held:
            raise Refused(
                f"Cannot find {name}. This object may not exist in this scene. "
                "Try to explore other instances instead."
            )
        self.world.go(thing.id)
        self._target = thing.id

    def _pick(self, name: str) -> None:
        world, thing = self.world, self._choose(name, exact=False)
        if thing is None:
            raise Refused(f"Cannot find {name} to pick up. Find the object before picking up it")
        if not world.visible(thing.id):
            holder = next(world.ancestors(thing.id), None)
            if holder is None:
                raise Refused(
                    f"Cannot find {name} to pick up. Find the object before picking up it"
                )
            raise Refused(
                f"{name} is not visible because it is in {self._indexed(holder)}. "
                "Go there to pick the object instead."
            )
        if world.held is not None:
            raise Refused(f"Robot is currently holding {world.things[world.held].kind.name}")
        thing.parent, thing.spot = None, None
        world.held = thing.id

    def _put(self) -> None:
        world, target = self.world, self._target
        if world.held is None:
            raise Refused("Robot is not holding any object")
        if target is None:
            return self._drop()
        receptacle = world.things[target]
        shut = receptacle.kind.openable and not receptacle.is_open
        spot = world.free_spot(target, world.things[world.held].kind)
        if shut or spot is None or world.shut_in(target) is not None:
            return self._refuse_put(receptacle)
        thing = self._let_go()
        thing.parent, thing.spot, thing.yaw_rad = target, spot, 0.0

    def _refuse_put(self, receptacle: Thing) -> None:
        self._failed_puts[receptacle.id] = self._failed_puts.get(receptacle.id, 0) + 1
        message = (
            f"Putting the object on {self._indexed(receptacle)} failed. First check whether the "
            "receptacle is open or not. Also try other instances of the receptacle"
        )
        if self._failed_puts[receptacle.id] >= _MAX_PUTS:
            self._drop()
            message += ". The robot dropped the object instead."
        raise Refused(message)

    def _drop(self) -> None:
        if self.world.held is None:
            raise Refused("Drop action failed")
        x, y = self.world.eye_xy
        self._let_go().at_m = (round(x + 0.15, 3), round(y, 3), 0.0)

    def _let_go(self) -> Thing:
        assert self.world.held is not None
        thing = self.world.things[self.world.held]
        self.world.held = None
        return thing

    def _open(self, name: str) -> None:
        thing = self._choose(name, exact=True)
        if thing is None or not self.world.visible(thing.id):
            raise Refused(f"Cannot find {name} to open. Find the object before opening it")
        if thing.is_open:
            raise Refused(f"Open action failed. The {name} is already open")
        if thing.is_on:
            raise Refused("Open action failed.")
        thing.is_open = True

    def _close(self, name: str) -> None:
        thing = self._choose(name, exact=True)
        if thing is None or not self.world.visible(thing.id):
            raise Refused("Close action failed.")
        if not thing.is_open:
            raise Refused(f"Close action failed. The {name} is already closed")
        thing.is_open = False
        if thing.kind.name == "Fridge":
            self._mark_contents(thing, "cooled")

    def _turn(self, name: str, way: str) -> None:
        thing = self._choose(name, exact=False)
        if thing is None or not self.world.visible(thing.id):
            raise Refused(f"Cannot find {name} to turn {way}")
        if thing.is_on == (way == "on") or (thing.is_open and way == "on"):
            raise Refused(f"Turn {way} action failed")
        thing.is_on = way == "on"
        if thing.is_on and name == "Microwave":
            self._mark_contents(thing, "heated")
        if thing.is_on and name == "Faucet":
            self._wash()

    def _wash(self) -> None:
        world = self.world
        world.changed()
        sinks = [t for t in world.things.values() if t.kind.name == "Sink" and world.visible(t.id)]
        if sinks:
            nearest = min(sinks, key=lambda t: world.distance_m(t.id))
            self._mark_contents(nearest, "cleaned")

    def _mark_contents(self, receptacle: Thing, mark: str) -> None:
        for thing in self.world.contents(receptacle.id):
            thing.marks.add(mark)
            self._mark_contents(thing, mark)

    def _slice(self, name: str) -> None:
        world, thing = self.world, self._choose(name, exact=False)
        if thing is None or not world.visible(thing.id):
            raise Refused(f"Cannot find {name} to slice")
        blade = world.things[world.held].kind.name if world.held else ""
        if blade not in KNIVES or thing.is_sliced or world.contents(thing.id):
            raise Refused("Slice action failed")
        thing.is_sliced = True


def object_id(thing: Thing) -> str:
    """The id that goals match: a sink is its basin, slices are named as slices."""
    if thing.kind.name == "Sink":
        return f"{thing.id}|SinkBasin"
    return f"{thing.id}|{thing.kind.name}Sliced_1" if thing.is_sliced else thing.id


def metadata(world: World) -> dict[str, object]:
    """The world in AI2-THOR's words, as far as ALFRED's goal conditions look at it.

    Visibility is judged for lamps that are on; it costs a picture, and goals ask for nothing else.
    """
    nesting = world.nesting()
    return {
        "objects": [_object(world, t, nesting) for t in world.things.values()],
        "inventory": [{"objectId": object_id(world.things[world.held])}] if world.held else [],
        "heated": _marked(world, "heated"),
        "cooled": _marked(world, "cooled"),
        "cleaned": _marked(world, "cleaned"),
    }


def _marked(world: World, mark: str) -> list[str]:
    return [object_id(t) for t in world.things.values() if mark in t.marks]


def _object(world: World, thing: Thing, nesting: Nesting) -> dict[str, object]:
    asked = thing.kind.toggleable and thing.is_on
    kind = thing.kind
    contents, ancestors = nesting
    return {
        "objectId": object_id(thing),
        "objectType": kind.name,
        "pickupable": kind.pickupable,
        "receptacle": kind.receptacle,
        "toggleable": kind.toggleable,
        "isToggled": thing.is_on,
        "visible": bool(asked and world.visible(thing.id)),
        "receptacleObjectIds": [object_id(t) for t in _inside(contents, thing)],
        "parentReceptacles": [object_id(t) for t in ancestors[thing.id]] or None,
    }


def _inside(contents: Mapping[str, Sequence[Thing]], thing: Thing) -> Iterator[Thing]:
    for child in contents[thing.id]:
        yield child
        yield from _inside(contents, child)
