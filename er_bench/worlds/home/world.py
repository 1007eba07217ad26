"""The state of a home: what stands where, what is open, on, hot, cold, clean, in hand, in view."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from er_bench.worlds.home.categories import CATEGORIES
from er_bench.worlds.home.furniture import FURNITURE
from er_bench.worlds.home.object_kinds import Kind, Look
from er_bench.worlds.home.objects import OBJECTS
from er_bench.worlds.home.parts import PALETTE, Part
from er_bench.worlds.home.raycast import count_px
from er_bench.worlds.home.solids import ROOM, Camera, Matrix, Pose, Solid, Vec, turn_x, turn_z

Json: TypeAlias = Mapping[str, Any]
"""A JSON object of an episode: the whole, its room, a thing, a goal."""
KINDS: dict[str, Kind] = {**FURNITURE, **OBJECTS, **CATEGORIES}


@cache
def parts(kind_name: str, look: Look) -> list[Part]:
    """What a kind looks like in a state."""
    return KINDS[kind_name].build(look)


EYE_M = 1.5
BODY_M = 0.9
"""Height that distances to the agent are measured from."""
FOV_DEG = 70.0
REACH_M = 0.65
"""How far from a piece of furniture the agent stands."""
JUDGE_PX = 160
"""Side of the low-resolution picture that visibility is judged on."""
VISIBLE_PX = 4
VISIBLE_M = 1.5
_WALL_M = 2.5
_ELBOW_M = 0.07
"""Room between a fixture and what is put beside it."""


@dataclass(slots=True)
class Thing:
    """One thing. It stands in the room (`parent` None), or on or in another thing."""

    id: str
    kind: Kind
    colour: str
    parent: str | None = None
    spot: int | None = None
    """Which of the parent's spots; None means `at_m` in the parent's frame."""
    at_m: Vec = (0.0, 0.0, 0.0)
    yaw_rad: float = 0.0
    is_open: bool = False
    is_on: bool = False
    is_sliced: bool = False
    marks: set[str] = field(default_factory=set)
    """`heated`, `cooled`, `cleaned`."""

    @property
    def look(self) -> Look:
        """What can be seen of its state."""
        return Look(self.is_open, self.is_on, self.is_sliced)


@dataclass(frozen=True, slots=True)
class Room:
    """Four walls and a floor, from (0, 0) to (width, depth)."""

    width_m: float
    depth_m: float
    wall: str = "cream"
    floor: str = "wood"


Nesting: TypeAlias = tuple[Mapping[str, Sequence[Thing]], Mapping[str, Sequence[Thing]]]


class World:
    """Things by id, the agent, and what it holds. Changes go through the methods."""

    def __init__(self, room: Room, things: Mapping[str, Thing]) -> None:
        self.room, self.things = room, dict(things)
        self.held: str | None = None
        self.eye_xy: tuple[float, float] = (room.width_m / 2, room.depth_m / 2)
        self.yaw_rad = 0.0
        self.pitch_rad = -0.3
        self._visible: dict[str, bool] = {}
        self._solids: list[Solid] | None = None

    def changed(self) -> None:
        """Forget what was seen; call it after a change of the world or of the agent."""
        self._visible, self._solids = {}, None

    # Where things are.

    def pose(self, thing_id: str) -> Pose:
        """The frame of a thing in the room."""
        thing = self.things[thing_id]
        if thing_id == self.held:
            return self._hand()
        own = Pose.at(*thing.at_m, thing.yaw_rad)
        if thing.parent is None:
            return own
        parent = self.things[thing.parent]
        frame = self.pose(thing.parent)
        if thing.spot is not None:
            x, y, z = parent.kind.spots[thing.spot]
            slide = parent.kind.slides_m if parent.is_open else 0.0
            own = Pose.at(x, y + slide, z, thing.yaw_rad)
        return frame @ own

    def _hand(self) -> Pose:
        """Where the held thing is shown: low on the right of the picture."""
        x, y = self.eye_xy
        head = Pose(np.array([x, y, EYE_M]), turn_z(self.yaw_rad) @ turn_x(self.pitch_rad))
        return head @ Pose.at(0.20, 0.46, -0.27, 0.4)

    def centre(self, thing_id: str) -> Matrix:
        """The middle of a thing, metres."""
        height = self.things[thing_id].kind.size_m[2]
        return self.pose(thing_id).point((0.0, 0.0, height / 2))

    def children(self, thing_id: str) -> list[Thing]:
        """What stands on or in it, in the order of the world."""
        return [t for t in self.things.values() if t.parent == thing_id and t.id != self.held]

    def contents(self, thing_id: str) -> list[Thing]:
        """What was put on or in it: fixtures are not contents."""
        return [t for t in self.children(thing_id) if t.kind.pickupable]

    def ancestors(self, thing_id: str) -> Iterator[Thing]:
        """What it stands on or in, nearest first."""
        parent = self.things[thing_id].parent if thing_id != self.held else None
        while parent is not None:
            yield self.things[parent]
            parent = self.things[parent].parent if parent != self.held else None

    def nesting(self) -> Nesting:
        """Contents and ancestors of every thing, as `contents` and `ancestors` give them."""
        contents: dict[str, list[Thing]] = {thing_id: [] for thing_id in self.things}
        for thing in self.things.values():
            if thing.parent is not None and thing.kind.pickupable and thing.id != self.held:
                contents[thing.parent].append(thing)
        return contents, {thing_id: list(self.ancestors(thing_id)) for thing_id in self.things}

    def shut_in(self, thing_id: str) -> Thing | None:
        """The closed thing that it is in, if any."""
        thing = self.things[thing_id]
        for outer in self.ancestors(thing_id):
            if thing.kind.pickupable and outer.kind.openable and not outer.is_open:
                if outer.kind.receptacle:
                    return outer
            thing = outer
        return None

    def free_spot(self, receptacle_id: str, kind: Kind) -> int | None:
        """The first spot that is free, if such a thing fits there."""
        taker = self.things[receptacle_id].kind
        if kind.bulk > taker.max_bulk or (taker.only and kind.name not in taker.only):
            return None
        return next(iter(self.free_spots(receptacle_id)), None)

    def free_spots(self, receptacle_id: str) -> list[int]:
        """The spots with nothing on them, fixtures (a microwave on a counter) included."""
        spots = self.things[receptacle_id].kind.spots
        return [k for k in range(len(spots)) if not self._taken(receptacle_id, k)]

    def _taken(self, receptacle_id: str, spot: int) -> bool:
        x, y, z = self.things[receptacle_id].kind.spots[spot]
        for thing in self.children(receptacle_id):
            if thing.spot is not None:
                if thing.spot == spot:
                    return True
                continue
            w, d, _ = thing.kind.size_m
            near_x = abs(thing.at_m[0] - x) < w / 2 + _ELBOW_M
            near_y = abs(thing.at_m[1] - y) < d / 2 + _ELBOW_M
            if near_x and near_y and thing.at_m[2] >= z - 0.05:
                return True
        return False

    # The agent.

    def distance_m(self, thing_id: str) -> float:
        """From the agent's body to the middle of a thing."""
        return float(np.linalg.norm(self.centre(thing_id) - [*self.eye_xy, BODY_M]))

    def stand(self, thing_id: str) -> tuple[float, float]:
        """Where the agent stands to deal with a thing: in front of the furniture that has it."""
        target = self.centre(thing_id)
        chain = [self.things[thing_id], *self.ancestors(thing_id)]
        root = chain[-1]
        if root.kind.pickupable or root.parent is not None:
            return self._clamped(target[0], target[1] - REACH_M)
        frame = self.pose(root.id)
        local = (target - frame.position_m) @ frame.rotation
        half_w = root.kind.size_m[0] / 2
        front = max(root.kind.size_m[1] / 2, 0.425 if root.at_m[2] > 0.5 else 0.0)
        at = frame.point((float(np.clip(local[0], -half_w, half_w)), front + REACH_M, 0.0))
        return self._clamped(at[0], at[1])

    def _clamped(self, x: float, y: float) -> tuple[float, float]:
        w, d = self.room.width_m, self.room.depth_m
        return float(np.clip(x, 0.2, w - 0.2)), float(np.clip(y, 0.2, d - 0.2))

    def go(self, thing_id: str) -> None:
        """Stand before a thing and look at it."""
        self.eye_xy = self.stand(thing_id)
        self.face(self.centre(thing_id))

    def face(self, target: Matrix) -> None:
        """Look at a point."""
        dx, dy = target[0] - self.eye_xy[0], target[1] - self.eye_xy[1]
        flat = math.hypot(dx, dy)
        if flat > 1e-6:
            self.yaw_rad = math.atan2(-dx, dy)
        pitch = math.atan2(target[2] - EYE_M, flat)
        self.pitch_rad = float(np.clip(0.9 * pitch, -1.0, 0.6))
        self.changed()

    def camera(self) -> Camera:
        """The agent's eye."""
        x, y = self.eye_xy
        return Camera((x, y, EYE_M), self.yaw_rad, self.pitch_rad, FOV_DEG)

    # What can be seen.

    def visible(self, thing_id: str) -> bool:
        """Whether a thing is in the picture, by pixels, and near enough to deal with.

        What is in hand does not count. Judged by the numpy renderer at low resolution, so that an
        episode runs the same with every renderer.
        """
        if thing_id not in self._visible:
            self._visible[thing_id] = (
                thing_id != self.held
                and self.distance_m(thing_id) <= VISIBLE_M
                and self.shut_in(thing_id) is None
                and self._pixels(thing_id) >= VISIBLE_PX
            )
        return self._visible[thing_id]

    def _pixels(self, thing_id: str) -> int:
        if self._solids is None:
            self._solids = self.solids()
        owner = list(self.things).index(thing_id)
        return count_px(self._solids, self.camera(), JUDGE_PX, owner)

    def solids(self) -> list[Solid]:
        """Everything there is to draw; what closed doors hide is left out."""
        drawn = list(_room_solids(self.room))
        for owner, thing in enumerate(self.things.values()):
            if self.shut_in(thing.id) is not None:
                continue
            frame = self.pose(thing.id)
            for part in parts(thing.kind.name, thing.look):
                placed = frame @ Pose(np.asarray(part.at_m, float), part.rotation)
                colour = PALETTE[part.colour or thing.colour]
                drawn.append(Solid(part.shape, part.half_m, placed, colour, owner, part.glow))
        return drawn

    def to_json(self) -> dict[str, object]:
        """The whole state, for debugging and for comparing."""
        return {
            "held": self.held,
            "eye_xy": [round(v, 4) for v in self.eye_xy],
            "yaw_rad": round(self.yaw_rad, 4),
            "things": [thing_to_json(t) for t in self.things.values()],
        }


def _room_solids(room: Room) -> Iterator[Solid]:
    w, d = room.width_m, room.depth_m
    wall, floor = PALETTE[room.wall], PALETTE[room.floor]
    half = _WALL_M / 2
    slabs = (
        ((w / 2, d / 2, -0.05), (w / 2, d / 2, 0.05), floor),
        ((w / 2, -0.05, half), (w / 2, 0.05, half), wall),
        ((w / 2, d + 0.05, half), (w / 2, 0.05, half), wall),
        ((-0.05, d / 2, half), (0.05, d / 2, half), wall),
        ((w + 0.05, d / 2, half), (0.05, d / 2, half), wall),
        ((w / 2, d / 2, _WALL_M + 0.05), (w / 2, d / 2, 0.05), PALETTE["white"]),
    )
    for at, size, colour in slabs:
        yield Solid("box", size, Pose(np.array(at), np.eye(3)), colour, ROOM)


def thing_to_json(thing: Thing) -> dict[str, object]:
    """A thing as JSON; what is usual is left out."""
    row: dict[str, object] = {"id": thing.id, "kind": thing.kind.name, "colour": thing.colour}
    if thing.parent is not None:
        row["parent"] = thing.parent
    if thing.spot is not None:
        row["spot"] = thing.spot
    else:
        row["at_m"] = [round(v, 3) for v in thing.at_m]
    if thing.yaw_rad:
        row["yaw_rad"] = round(thing.yaw_rad, 4)
    row |= {name: True for name in ("is_open", "is_on", "is_sliced") if getattr(thing, name)}
    if thing.marks:
        row["marks"] = sorted(thing.marks)
    return row


def thing_from_json(row: Json) -> Thing:
    """The thing that `thing_to_json` wrote. Raises KeyError for a kind that there is not."""
    x, y, z = row.get("at_m", (0.0, 0.0, 0.0))
    return Thing(
        row["id"],
        KINDS[row["kind"]],
        row["colour"],
        row.get("parent"),
        row.get("spot"),
        (x, y, z),
        row.get("yaw_rad", 0.0),
        row.get("is_open", False),
        row.get("is_on", False),
        row.get("is_sliced", False),
        set(row.get("marks", ())),
    )


def room_to_json(room: Room) -> dict[str, object]:
    """A room as JSON."""
    return {
        "width_m": room.width_m,
        "depth_m": room.depth_m,
        "wall": room.wall,
        "floor": room.floor,
    }


def world_from_json(room: Json, things: Sequence[Json]) -> World:
    """A world at its start. Raises KeyError and TypeError for what is missing or unknown."""
    made = [thing_from_json(row) for row in things]
    return World(Room(**room), {thing.id: thing for thing in made})
