"""The oracle planner of the `alfred` skills: from the whole state to the actions of a goal."""

from __future__ import annotations

from er_bench.worlds.home.alfred import KNIVES, AlfredSkills, object_id
from er_bench.worlds.home.world import Json, Thing


class Planner:
    """Writes a plan for a goal; the world is only read. Raises LookupError when it sees no way."""

    def __init__(self, skills: AlfredSkills) -> None:
        self.world, self._names = skills.world, {i: n for n, i in skills.names.items()}
        self._opened: set[str] = set()

    def plan(self, goal: Json) -> list[str]:
        """Action names for a goal in ALFRED's terms (`task_type` and its parameters)."""
        target = self._first(goal["object_target"])
        steps: list[str] = []
        if goal["object_sliced"]:
            steps += self._cut(target)
        match goal["task_type"]:
            case "look_at_obj_in_light":
                lamp = goal["toggle_target"]
                return [*steps, *self.fetch(target), f"find a {lamp}", f"turn on the {lamp}"]
            case "pick_two_obj_and_place":
                return steps + self._both(goal)
            case "pick_and_place_with_movable_recep":
                carrier = self._first(goal["mrecep_target"])
                steps += [*self.fetch(target), *self.put(carrier), self._pick(carrier)]
                return steps + self.put(self._place(goal, carrier))
            case "pick_heat_then_place_in_recep":
                steps += self.fetch(target) + self._heat(target)
            case "pick_cool_then_place_in_recep":
                steps += self.fetch(target) + self._cool(target)
            case "pick_clean_then_place_in_recep":
                steps += self.fetch(target) + self._clean(target)
            case _:
                steps += self.fetch(target)
        return steps + self.put(self._place(goal, target))

    # Choosing things.

    def _matching(self, name: str) -> list[Thing]:
        things = self.world.things.values()
        exact = [t for t in things if t.kind.name == name]
        return exact or [t for t in things if name in object_id(t)]

    def _first(self, name: str) -> Thing:
        found = self._matching(name)
        if not found:
            raise LookupError(f"there is no {name}")
        return min(found, key=lambda t: self.world.shut_in(t.id) is not None)

    def _place(self, goal: Json, what: Thing) -> Thing:
        for receptacle in self._matching(goal["parent_target"]):
            if self.world.free_spot(receptacle.id, what.kind) is not None:
                return receptacle
        raise LookupError(f"no {goal['parent_target']} has room for a {what.kind.name}")

    def name(self, thing: Thing) -> str:
        """The name by which `find` means exactly this thing."""
        return self._names.get(thing.id, thing.kind.name)

    # Pieces of plans.

    def _pick(self, thing: Thing) -> str:
        return f"pick up the {thing.kind.name}"

    def _open(self, thing: Thing) -> list[str]:
        if thing.is_open or thing.id in self._opened:
            return []
        self._opened.add(thing.id)
        return [f"open the {self.name(thing)}"]

    def fetch(self, thing: Thing) -> list[str]:
        """Go to a thing and take it, opening what it is in."""
        shut = self.world.shut_in(thing.id)
        steps = [] if shut is None else self._open(shut)
        if shut is not None and steps:
            steps = [f"find a {self.name(shut)}", *steps]
        return [*steps, f"find a {self.name(thing)}", self._pick(thing)]

    def put(self, receptacle: Thing) -> list[str]:
        """Put what is held on or in a receptacle."""
        steps = [f"find a {self.name(receptacle)}"]
        if receptacle.kind.openable:
            steps += self._open(receptacle)
        return [*steps, "put down the object in hand"]

    def _both(self, goal: Json) -> list[str]:
        pair = self._matching(goal["object_target"])[:2]
        place = self._place(goal, pair[0])
        return [s for thing in pair for s in self.fetch(thing) + self.put(place)]

    def _cut(self, target: Thing) -> list[str]:
        knife = next(t for t in self.world.things.values() if t.kind.name in KNIVES)
        board = self._first("CounterTop")
        return [
            *self.fetch(knife),
            f"find a {self.name(target)}",
            f"slice the {target.kind.name}",
            *self.put(board),
        ]

    def _heat(self, target: Thing) -> list[str]:
        oven = self._first("Microwave")
        name = self.name(oven)
        return [
            *self.put(oven),
            f"close the {name}",
            "turn on the Microwave",
            "turn off the Microwave",
            f"open the {name}",
            self._pick(target),
            f"close the {name}",
        ]

    def _cool(self, target: Thing) -> list[str]:
        fridge = self._first("Fridge")
        name = self.name(fridge)
        return [
            *self.put(fridge),
            f"close the {name}",
            f"open the {name}",
            self._pick(target),
            f"close the {name}",
        ]

    def _clean(self, target: Thing) -> list[str]:
        return [
            *self.put(self._first("Sink")),
            "find a Faucet",
            "turn on the Faucet",
            "turn off the Faucet",
            f"find a {self.name(target)}",
            self._pick(target),
        ]
