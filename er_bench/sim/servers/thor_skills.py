"""The household skills of EB-ALFRED on AI2-THOR. Standard library only, Python 3.8.

EmbodiedBench `envs/eb_alfred/EBAlfEnv.py` (actions), `thor_connector.py` (skills) and
`env/thor_env.py` (what is hot, cold and clean), commit b247936. `thor.py` serves them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from string import capwords
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from typing import TypeAlias

FIND = (
    "Cart Potato Faucet Ottoman CoffeeMachine Candle CD Pan Watch HandTowel SprayBottle "
    "BaseballBat CellPhone Kettle Mug StoveBurner Bowl Toilet DiningTable Spoon TissueBox Shelf "
    "Apple TennisRacket SoapBar Cloth Plunger FloorLamp ToiletPaperHanger CoffeeTable Spatula "
    "Plate Bed Glassbottle Knife Tomato ButterKnife Dresser Microwave CounterTop GarbageCan "
    "WateringCan Vase ArmChair Safe KeyChain Pot Pen Cabinet Desk Newspaper Drawer Sofa Bread Book "
    "Lettuce CreditCard AlarmClock ToiletPaper SideTable Fork Box Egg DeskLamp Ladle WineBottle "
    "Pencil Laptop RemoteControl BasketBall DishSponge Cup SaltShaker PepperShaker Pillow Bathtub "
    "SoapBottle Statue Fridge Sink"
).split()
PICK = (
    "KeyChain Potato Pot Pen Candle CD Pan Watch Newspaper HandTowel SprayBottle BaseballBat Bread "
    "CellPhone Book Lettuce CreditCard Mug AlarmClock Kettle ToiletPaper Bowl Fork Box Egg Spoon "
    "TissueBox Apple TennisRacket Ladle WineBottle Cloth Plunger SoapBar Pencil Laptop "
    "RemoteControl BasketBall DishSponge Cup Spatula SaltShaker Plate PepperShaker Pillow "
    "Glassbottle SoapBottle Knife Statue Tomato ButterKnife WateringCan Vase"
).split()
OPEN = "Safe Laptop Fridge Box Microwave Cabinet Drawer".split()
TOGGLE = "Microwave DeskLamp FloorLamp Faucet".split()
SLICE = "Potato Lettuce Tomato Apple Bread".split()
GLOBAL_ACTIONS = (
    [f"find a {name}" for name in FIND]
    + [f"pick up the {name}" for name in PICK]
    + ["put down the object in hand", "drop the object in hand"]
    + [f"{verb} the {name}" for name in OPEN for verb in ("open", "close")]
    + [f"turn {way} the {name}" for name in TOGGLE for way in ("on", "off")]
    + [f"slice the {name}" for name in SLICE]
)
"""The 162 actions of every episode, in the order of `get_global_action_space`."""

AGENT_Y, CAMERA_Y = 0.9, 0.75
TELEPORT_TRIES = 20

Json: TypeAlias = "dict[str, Any]"
"""What Unity is told or tells: a Controller call, metadata, an episode's scene."""
Thing: TypeAlias = Json
"""An object of AI2-THOR's metadata."""


def episode_actions(objects: list[Thing]) -> tuple[list[str], dict[str, str]]:
    """The actions of an episode, and the object id behind each name that has several instances.

    `generate_additional_action_space`: from the second instance of a type on, a receptacle can be
    found, opened and closed by its number, a thing found by its number. A number that a receptacle
    and a thing share is listed once, where the released list has it twice for the same skill.
    """
    by_type: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    for thing in objects:
        if thing["receptacle"] or thing["pickupable"]:
            kind = by_type[0] if thing["receptacle"] else by_type[1]
            kind.setdefault(thing["objectType"], []).append(thing["objectId"])
    ids: dict[str, str] = {}
    numbered: list[list[str]] = []
    for kind in by_type:
        names = []
        for object_type, found in kind.items():
            if len(found) > 1:
                ids[object_type] = found[0]
                more = {f"{object_type}_{k + 2}": i for k, i in enumerate(found[1:])}
                ids.update(more)
                names += list(more)
        numbered.append(sorted(set(names)))
    actions = [f"find a {name}" for name in numbered[0]]
    for name in numbered[0]:
        if name.split("_")[0] in OPEN:
            actions += [f"open the {name}", f"close the {name}"]
    things = [name for name in numbered[1] if name not in numbered[0]]
    actions += [f"find a {name}" for name in things if name.split("_")[0] in PICK]
    return GLOBAL_ACTIONS + actions, ids


def thor_name(name: str) -> str:
    """`natural_word_to_ithor_name`: it lowers inner capitals (Remotecontrol), ids stay."""
    if name == "CD" or any(letter.isdigit() for letter in name):
        return name
    return "".join(capwords(word) for word in name.split())


class Hands(Protocol):
    """What the skills need of a Controller."""

    @property
    def objects(self) -> list[Thing]:
        """Every object of the scene, in Unity's order."""

    @property
    def held(self) -> list[Thing]:
        """What the agent holds."""

    def step(self, action: Json) -> bool:
        """Do one Controller call; whether it succeeded."""


class Skills:
    """The nine skills on one episode. A skill returns what went wrong, or ""."""

    def __init__(self, thor: Hands, reachable: list[dict[str, float]]) -> None:
        self._thor, self._reachable = thor, reachable
        self.heated: set[str] = set()
        self.cooled: set[str] = set()
        self.cleaned: set[str] = set()
        self._near: str | None = None
        self._sliced = False
        self._put_tries: dict[str, int] = {}

    def do(self, instruction: str) -> str:
        """One skill by its words, `llm_skill_interact`."""
        if not instruction.startswith(("put down ", "open ")):
            self._near = None
        verbs: list[tuple[str, Callable[[str], str]]] = [
            ("find a ", self._find),
            ("pick up the ", self._pick),
            ("put down ", self._put_down),
            ("drop", self._drop),
            ("open the ", self._open),
            ("close the ", self._close),
            ("turn on the ", self._turn_on),
            ("turn off the ", self._turn_off),
            ("slice the ", self._slice),
        ]
        for words, skill in verbs:
            if instruction.startswith(words):
                return skill(instruction[len(words) :])
        return "instruction not supported"

    def _call(self, name: str, **arguments: Any) -> bool:
        done = self._thor.step({"action": name, **arguments})
        if done:
            self._update(name, arguments.get("objectId", ""))
        return done

    def _update(self, name: str, object_id: str) -> None:
        """`update_states`; with an empty slot (None) the released line forgets all before it."""
        if name == "ToggleObjectOn" and "Faucet" in object_id:
            inside = self._nearest_basin(object_id)["receptacleObjectIds"]
            self.cleaned = set() if inside is None else self.cleaned | set(inside)
        if name == "ToggleObjectOn" and "Microwave" in object_id:
            inside = self._of_type("Microwave")[0]["receptacleObjectIds"]
            self.heated = set() if inside is None else self.heated | set(inside)
        if name == "CloseObject" and "Fridge" in object_id:
            inside = self._of_type("Fridge")[0]["receptacleObjectIds"]
            self.cooled = set() if inside is None else self.cooled | set(inside)

    def _of_type(self, object_type: str) -> list[Thing]:
        return [o for o in self._thor.objects if o["objectType"] == object_type]

    def _by_id(self, object_id: str | None) -> Thing | None:
        return next((o for o in self._thor.objects if o["objectId"] == object_id), None)

    def _nearest_basin(self, faucet_id: str) -> Thing:
        faucet = self._by_id(faucet_id)
        basins = [o for o in self._of_type("SinkBasin") if o["visible"]]
        if faucet is None or not basins:
            raise LookupError("no visible SinkBasin")
        return min(basins, key=lambda o: _distance(o["position"], faucet["position"]))

    def _choose(
        self,
        name: str,
        pickupable: bool = False,
        toggleable: bool = False,
        by_sight: bool = False,
        sliced: bool = False,
        inherited: bool = False,
        exclude: str | None = None,
    ) -> Thing | None:
        """The object that a name means, `get_obj_id_from_name`."""
        if any(letter.isdigit() for letter in name):
            return next((o for o in self._thor.objects if name in o["name"]), None)
        best, best_cost = None, 1e8
        for thing in self._thor.objects:
            parts = thing["objectId"].split("|")
            fits = (
                thing["objectId"] != exclude
                and (thing["pickupable"] or not pickupable)
                and (thing["toggleable"] or not toggleable)
                and parts[0].casefold() == name.casefold()
                and (len(parts) == 5 or not inherited)
            )
            if not fits or thing["distance"] >= best_cost:
                continue
            cost = thing["distance"] + 100000 * self._shut_in(thing)
            if name.casefold() == "stoveburner" and thing["receptacleObjectIds"]:
                cost += 10000
            cost += 1000 * (by_sight and thing["visible"] is False)
            cost -= 100 * (sliced and "_Slice" in thing["name"])
            if cost < best_cost:
                best, best_cost = thing, cost
        return best

    def _shut_in(self, thing: Thing) -> bool:
        for parent in thing["parentReceptacles"] or ():
            holder = next((o for o in self._thor.objects if parent in o["objectId"]), None)
            if holder is not None and holder["openable"] is True and holder["isOpen"] is False:
                return True
        return False

    def _find(self, words: str) -> str:
        self._near = words
        name = thor_name(words)
        kind = name.split("|")[0]
        thing = self._choose(kind, by_sight=True, sliced=self._sliced)
        if "|" in name:
            piece = (
                thing is not None and "Sliced" in thing["objectId"] and name in thing["objectId"]
            )
            thing = thing if piece else self._by_id(name)
        if thing is None:
            return (
                f"Cannot find {kind}. This object may not exist in this scene. "
                "Try to explore other instances instead."
            )
        return "" if self._go_to(thing, kind) else f"Cannot move to {kind}"

    def _go_to(self, thing: Thing, kind: str) -> bool:
        """Teleport to one of the nearest reachable points, facing the object."""
        goal, facing = thing["position"], thing["rotation"]["y"]
        points = sorted(self._reachable, key=lambda p: _distance(p, goal))
        nth = 0
        for attempt in range(TELEPORT_TRIES):
            nth += 1
            if attempt == 10 and kind in ("Fridge", "Microwave"):
                nth -= 10
            if nth > len(points):
                return False
            at = points[nth - 1]
            yaw = math.degrees(math.atan2(goal["x"] - at["x"], goal["z"] - at["z"])) % 360
            if attempt < 10 and not _in_front(kind, yaw, facing):
                continue
            flat = math.hypot(goal["x"] - at["x"], goal["z"] - at["z"])
            rise = math.degrees(math.atan2(goal["y"] - (AGENT_Y + CAMERA_Y), flat))
            where = {"x": at["x"], "y": AGENT_Y, "z": at["z"]}
            if self._call("TeleportFull", rotation=yaw, horizon=-0.9 * rise, **where):
                return True
        return False

    def _pick(self, words: str) -> str:
        name = thor_name(words)
        thing = self._choose(name, pickupable=True, by_sight=True, sliced=self._sliced)
        if thing is None:
            return f"Cannot find {name} to pick up. Find the object before picking up it"
        if self._call("PickupObject", objectId=thing["objectId"], forceAction=False):
            return ""
        if thing["visible"] is False and thing["parentReceptacles"]:
            place = thing["parentReceptacles"][0]
            return (
                f"{name} is not visible because it is in {place}. "
                f"Note: multiple instances of {place} may exist"
            )
        held = self._thor.held
        if not held:
            return "Robot is not holding any object"
        return f"Robot is currently holding {held[0]['objectType']}"

    def _put_down(self, words: str) -> str:
        if self._near is None:
            return self._drop(words)
        place = self._near
        self._put_tries[place] = self._put_tries.get(place, 0) + 1
        problem = self._put(thor_name(place))
        if problem and self._put_tries[place] >= 3:
            self._drop(words)
            problem += ". The robot dropped the object instead."
        return problem

    def _put(self, name: str) -> str:
        if not self._thor.held:
            return "Robot is not holding any object"
        held, kind = self._thor.held[0]["objectId"], name.split("|")[0]
        problem, last, exclude = "", None, None
        for other in (False, True):
            for pose in range(7):
                for inherited in (False, True):
                    if other and exclude is None:
                        exclude = last
                    if "|" in name and not other:
                        if inherited:
                            continue
                        place: str | None = name
                    else:
                        basin_first = "Sink" in kind or "Bathtub" in kind
                        want_basin = inherited != basin_first
                        found = self._choose(kind, inherited=want_basin, exclude=exclude)
                        place = found["objectId"] if found else None
                    if not place:
                        problem = _put_failed(kind, "whether ")
                        continue
                    self._shift(pose)
                    put = {"objectId": held, "receptacleObjectId": place, "forceAction": True}
                    last = place
                    if self._call("PutObject", **put):
                        return ""
                    problem = _put_failed(kind, "")
        return problem

    def _shift(self, pose: int) -> None:
        """Move a little between tries to put something down."""
        moves: dict[int, list[str]] = {
            1: ["LookUp"] * 2,
            2: ["LookDown"] * 4,
            3: ["LookUp"] * 2 + ["MoveBack"],
            4: ["MoveAhead"] + ["MoveRight"] * 4,
            5: ["MoveLeft"] * 8,
            6: ["MoveRight"] * 4,
        }
        for move in moves.get(pose, []):
            self._call(move)
        if pose == 6:
            self._call("RotateHand", x=40)

    def _drop(self, words: str) -> str:
        del words
        if self._call("DropHandObject", forceAction=True):
            return ""
        return "Drop action failed" if self._thor.held else "Robot is not holding any object"

    def _target(self, words: str) -> tuple[str, str | None]:
        """The name for messages, and the id of what is meant."""
        name = thor_name(words)
        if "|" in name:
            return name.split("|")[0], name
        found = self._choose(name)
        return name, found["objectId"] if found else None

    def _open(self, words: str) -> str:
        name, object_id = self._target(words)
        if object_id is None:
            return f"Cannot find {name} to open. Find the object before opening it"
        thing = self._by_id(object_id)
        was_open = thing is not None and thing["openable"] and thing["isOpen"]
        problem = "Open action failed." + (f" The {name} is already open" if was_open else "")
        for moves in (["MoveBack"], ["MoveBack", "MoveRight"], ["MoveLeft", "MoveLeft"], []):
            if self._call("OpenObject", objectId=object_id):
                return ""
            for move in moves:
                self._call(move)
        return problem

    def _close(self, words: str) -> str:
        name, object_id = self._target(words)
        if object_id is None:
            return f"Cannot find {name} to close"
        if self._call("CloseObject", objectId=object_id):
            return ""
        thing = self._by_id(object_id)
        was_closed = thing is not None and thing["openable"] and not thing["isOpen"]
        return "Close action failed" + (f". The {name} is already closed" if was_closed else "")

    def _once(self, call: str, words: str, verb: str, toggleable: bool = False) -> str:
        """A skill that is one Controller call on one object."""
        name = thor_name(words)
        thing = self._choose(name, toggleable=toggleable)
        if thing is None:
            return f"Cannot find {name} to {verb}"
        done = self._call(call, objectId=thing["objectId"])
        return "" if done else f"{verb.capitalize()} action failed"

    def _turn_on(self, words: str) -> str:
        try:
            return self._once("ToggleObjectOn", words, "turn on", toggleable=True)
        except LookupError:  # the faucet runs, but no basin is in sight: it fails there too
            return "Turn on action failed"

    def _turn_off(self, words: str) -> str:
        return self._once("ToggleObjectOff", words, "turn off", toggleable=True)

    def _slice(self, words: str) -> str:
        self._sliced = True
        return self._once("SliceObject", words, "slice")


def _put_failed(kind: str, whether: str) -> str:
    return (
        f"Putting the object on {kind} failed. First check {whether}the receptacle is open or not. "
        "Also try other instances of the receptacle"
    )


def _distance(one: dict[str, float], other: dict[str, float]) -> float:
    return math.sqrt(sum((one[axis] - other[axis]) ** 2 for axis in "xyz"))


def _in_front(kind: str, yaw: float, facing: float) -> bool:
    """Whether a fridge is seen from its side of the door, a microwave from its front or back."""
    turn = math.radians(yaw - facing)
    apart = abs(math.degrees(math.atan2(math.sin(turn), math.cos(turn))))
    if kind == "Fridge":
        return 70 < apart < 110
    if kind == "Microwave":
        return apart > 160 or apart < 20
    return True
