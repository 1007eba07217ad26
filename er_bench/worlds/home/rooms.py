"""Furnished rooms of four types, made from a seed: kitchen, living room, bedroom, bathroom."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

from er_bench.worlds.home.solids import Vec
from er_bench.worlds.home.world import KINDS, Room, Thing

_YAW = {"south": 0.0, "north": math.pi, "west": -math.pi / 2, "east": math.pi / 2}


class Furnisher:
    """Puts furniture along the walls of one room, from left to right as one faces the wall."""

    def __init__(self, room: Room, rng: random.Random) -> None:
        self.room, self.rng = room, rng
        self.things: dict[str, Thing] = {}
        self._colours: dict[str, list[str]] = {}

    def add(
        self, kind_name: str, at_m: Vec, yaw_rad: float = 0.0, parent: str | None = None
    ) -> str:
        """One thing; things of one kind get different colours as long as there are any."""
        number = sum(t.kind.name == kind_name for t in self.things.values()) + 1
        thing_id = f"{kind_name}|{number:02d}"
        self.things[thing_id] = Thing(
            thing_id, KINDS[kind_name], self._colour(kind_name), parent, None, at_m, yaw_rad
        )
        return thing_id

    def _colour(self, kind_name: str) -> str:
        left = self._colours.setdefault(kind_name, [])
        if not left:
            left += self.rng.sample(KINDS[kind_name].colours, len(KINDS[kind_name].colours))
        return left.pop()

    def along(
        self,
        wall: str,
        names: Sequence[str],
        z_m: float = 0.0,
        gap_m: float = 0.06,
    ) -> list[str]:
        """A row of furniture with its back to the middle of a wall."""
        widths = [KINDS[name].size_m[0] for name in names]
        length = self.room.width_m if wall in ("south", "north") else self.room.depth_m
        total = sum(widths) + gap_m * (len(names) - 1)
        start_m = (length - total) / 2
        if start_m + total > length + 0.01:
            raise ValueError(f"{', '.join(names)} do not fit along {length} m")
        ids = []
        for name, width in zip(names, widths, strict=True):
            ids.append(self._against(wall, name, start_m + width / 2, length, z_m))
            start_m += width + gap_m
        return ids

    def _against(self, wall: str, name: str, s_m: float, length: float, z_m: float) -> str:
        back = KINDS[name].size_m[1] / 2 + 0.01
        w, d = self.room.width_m, self.room.depth_m
        x, y = {
            "north": (s_m, d - back),
            "south": (length - s_m, back),
            "east": (w - back, length - s_m),
            "west": (back, s_m),
        }[wall]
        return self.add(name, (round(x, 3), round(y, 3), z_m), _YAW[wall])

    def drawers(self, chest: str, rows: int, columns: int) -> None:
        """Drawers in the front of a counter or a dresser."""
        kind = self.things[chest].kind
        drawer = KINDS["Drawer"]
        front = kind.size_m[1] / 2 - drawer.size_m[1] / 2 + 0.015
        top = kind.size_m[2] - 0.26
        for row in range(rows):
            for column in range(columns):
                x = (column - (columns - 1) / 2) * 0.52
                self.add("Drawer", (round(x, 3), round(front, 3), top - 0.2 * row), 0.0, chest)


def _kitchen(f: Furnisher) -> None:
    rng = f.rng
    line = ["Fridge", "CounterTop", "Sink", "CounterTop", "Stove"]
    if rng.random() < 0.5:
        line.reverse()
    ids = f.along("north", line, gap_m=0.02)
    counters = [i for i in ids if i.startswith("CounterTop")]
    stove, sink = (next(i for i in ids if i.startswith(n)) for n in ("Stove", "Sink"))
    f.add("Faucet", (0.0, -0.22, 0.9), 0.0, sink)
    for x in (-0.16, 0.16):
        f.add("StoveBurner", (x, 0.12, 0.9), 0.0, stove)
    f.add("Microwave", (-0.3, -0.1, 0.9), 0.0, counters[0])
    f.add("CoffeeMachine", (0.45, -0.12, 0.9), 0.0, counters[1])
    for counter in counters:
        f.drawers(counter, 1, 2)
    for counter in counters:
        x = f.things[counter].at_m[0]
        for side in (-0.32, 0.32):
            f.add("Cabinet", (round(x + side, 3), f.room.depth_m - 0.185, 1.3), math.pi)
    f.add("Window", (f.things[sink].at_m[0], f.room.depth_m - 0.01, 1.35), math.pi)
    f.along("south", ["DiningTable", "GarbageCan"], gap_m=0.5)
    f.along("west", ["SideTable", "Safe"], gap_m=0.5)
    f.along("east", ["Cart"])
    f.along("east", ["Painting"], z_m=1.4)


def _living(f: Furnisher) -> None:
    f.along("south", ["SideTable", "Sofa", "SideTable"], gap_m=0.15)
    f.along("south", ["Painting"], z_m=1.4)
    side_tables = [i for i in f.things if i.startswith("SideTable")]
    f.add("DeskLamp", (0.0, -0.08, 0.6), 0.0, side_tables[f.rng.randrange(2)])
    row = ["Dresser", "TVStand"]
    f.rng.shuffle(row)
    for made in f.along("north", row, gap_m=0.6):
        if made.startswith("Dresser"):
            f.drawers(made, 2, 2)
            x = f.things[made].at_m[0]
            for side in (-0.32, 0.32):
                f.add("Cabinet", (round(x + side, 3), f.room.depth_m - 0.185, 1.35), math.pi)
    f.along("west", ["ArmChair", "FloorLamp"], gap_m=0.35)
    f.along("east", ["ArmChair", "GarbageCan", "Ottoman"], gap_m=0.3)
    f.along("west", ["Window"], z_m=1.1)
    w, d = f.room.width_m, f.room.depth_m
    f.add("Rug", (w / 2, d / 2, 0.0))
    f.add("CoffeeTable", (w / 2, round(d / 2 - 0.1, 3), 0.0))
    f.along("east", ["Shelf"], z_m=1.25)


def _bedroom(f: Furnisher) -> None:
    row = ["SideTable", "Bed", "SideTable"]
    f.along("south", row, gap_m=0.15)
    f.along("south", ["Painting"], z_m=1.5)
    desk, dresser = f.along("north", ["Desk", "Dresser"], gap_m=0.5)
    f.add("DeskLamp", (0.5 * f.rng.choice((-1, 1)), -0.12, 0.75), 0.0, desk)
    f.drawers(dresser, 2, 2)
    f.add("Shelf", (f.things[desk].at_m[0], f.room.depth_m - 0.15, 1.35), math.pi)
    f.along("west", ["Safe", "GarbageCan"], gap_m=0.6)
    f.along("west", ["Shelf"], z_m=1.25)
    f.along("east", ["ArmChair", "FloorLamp"], gap_m=0.3)
    f.along("east", ["Window"], z_m=1.1)


def _bathroom(f: Furnisher) -> None:
    line = ["CounterTop", "Sink", "CounterTop"]
    counters = f.along("north", line, gap_m=0.02)
    f.add("Faucet", (0.0, -0.22, 0.9), 0.0, counters[1])
    for counter in (counters[0], counters[2]):
        f.drawers(counter, 1, 2)
        f.add("Cabinet", (f.things[counter].at_m[0], f.room.depth_m - 0.185, 1.3), math.pi)
    f.add("Window", (f.things[counters[1]].at_m[0], f.room.depth_m - 0.01, 1.35), math.pi)
    f.along("south", ["Bathtub", "Toilet", "GarbageCan"], gap_m=0.3)
    f.along("west", ["Cart"])
    f.along("west", ["Shelf"], z_m=1.25)
    f.along("east", ["SideTable"])


_MAKERS: dict[str, tuple[Callable[[Furnisher], None], float, float]] = {
    "kitchen": (_kitchen, 5.2, 4.4),
    "living": (_living, 5.4, 4.8),
    "bedroom": (_bedroom, 5.0, 5.2),
    "bathroom": (_bathroom, 4.4, 4.0),
}
ROOM_TYPES = tuple(_MAKERS)


def furnish(room_type: str, seed: int) -> tuple[Room, dict[str, Thing]]:
    """A room and its furniture."""
    rng = random.Random(f"{room_type}-{seed}")
    maker, width, depth = _MAKERS[room_type]
    wall = rng.choice(("cream", "white", "glass", "pink" if room_type == "bedroom" else "cream"))
    floor = "grey" if room_type == "bathroom" else rng.choice(("wood", "crust", "brown"))
    furnisher = Furnisher(Room(width, depth, wall, floor), rng)
    maker(furnisher)
    return furnisher.room, furnisher.things
