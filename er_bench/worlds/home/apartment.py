"""The flat of the `rearrange` skills: an open kitchen and a living room with eleven places."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from er_bench.worlds.home.rearrange import FRIDGE, LEFT_DRAWER, RIGHT_DRAWER
from er_bench.worlds.home.solids import Pose
from er_bench.worlds.home.world import KINDS, Room, Thing

KIND_OF: dict[str, str] = {
    "table 1": "Table",
    "table 2": "Table",
    "TV stand": "TVStand",
    "sofa": "Sofa",
    "chair 1": "Chair",
    "left counter in the kitchen": "LeftCounter",
    "sink in the kitchen": "KitchenSink",
    "right counter in the kitchen": "RightCounter",
    FRIDGE: "Fridge",
}
_COLOUR_OF = {"table 1": "black", "table 2": "brown"}
"""As EmbodiedBench's instructions call them."""
_DRAWERS = (
    (LEFT_DRAWER, "left counter in the kitchen", 0.64),
    (RIGHT_DRAWER, "right counter in the kitchen", 0.64),
    ("cabinet 5", "left counter in the kitchen", 0.44),
    ("cabinet 4", "right counter in the kitchen", 0.44),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a piece of furniture stands and which way its front looks (yaw 0 is +y)."""

    x_m: float
    y_m: float
    yaw_rad: float


def furnish(
    places: Mapping[str, Place], colours: Mapping[str, str] | None = None
) -> dict[str, Thing]:
    """Furniture at its places, with drawers and a faucet. Raises KeyError for a missing place."""
    colours = _COLOUR_OF | dict(colours or {})
    things = {}
    for name, kind_name in KIND_OF.items():
        kind, place = KINDS[kind_name], places[name]
        at = (round(place.x_m, 3), round(place.y_m, 3), 0.0)
        colour = colours.get(name, kind.colours[0])
        things[name] = Thing(name, kind, colour, None, None, at, round(place.yaw_rad, 4))
    for name, counter, z in _DRAWERS:
        y = round(KINDS["LeftCounter"].size_m[1] / 2 - KINDS["Drawer"].size_m[1] / 2 + 0.015, 3)
        colour = colours.get(name, "white")
        things[name] = Thing(name, KINDS["Drawer"], colour, counter, None, (0.0, y, z))
    sink = "sink in the kitchen"
    things["faucet"] = Thing("faucet", KINDS["Faucet"], "silver", sink, None, (0.0, -0.22, 0.9))
    return things


def beside(place: Place, by_m: float) -> Place:
    """A place further along the furniture's own x axis, looking the same way."""
    x, y, _ = Pose.at(place.x_m, place.y_m, 0.0, place.yaw_rad).point((by_m, 0.0, 0.0))
    return Place(float(x), float(y), place.yaw_rad)


def made_up(seed: int) -> tuple[Room, dict[str, Thing]]:
    """A flat from a seed: the kitchen along one wall, the rest along the others."""
    rng = random.Random(f"flat-{seed}")
    room = Room(
        7.4, 6.2, rng.choice(("cream", "white", "glass")), rng.choice(("wood", "crust", "brown"))
    )
    w, d = room.width_m, room.depth_m
    start = rng.uniform(1.2, 2.6)
    places: dict[str, Place] = {}
    x = start
    # One who faces the north wall has its east end to the right.
    for name in (
        FRIDGE,
        "left counter in the kitchen",
        "sink in the kitchen",
        "right counter in the kitchen",
    ):
        width, depth, _ = KINDS[KIND_OF[name]].size_m
        places[name] = Place(x + width / 2, d - depth / 2 - 0.01, math.pi)
        x += width + 0.01
    slots = [
        Place(1.9, 0.5, 0.0),
        Place(5.4, 0.5, 0.0),
        Place(w - 0.5, 2.9, math.pi / 2),
        Place(0.5, 2.9, -math.pi / 2),
    ]
    rng.shuffle(slots)
    places |= dict(zip(("table 1", "table 2", "TV stand", "sofa"), slots, strict=True))
    places["chair 1"] = beside(places["table 1"], rng.choice((-1.15, 1.15)))
    colours = {
        "sofa": rng.choice(KINDS["Sofa"].colours),
        FRIDGE: rng.choice(KINDS["Fridge"].colours),
        "TV stand": "grey",
    }
    things = furnish(places, colours)
    mid = (round(w / 2, 3), round(d / 2 - 0.3, 3), 0.0)
    things["rug"] = Thing("rug", KINDS["Rug"], rng.choice(KINDS["Rug"].colours), None, None, mid)
    things["window"] = Thing(
        "window",
        KINDS["Window"],
        "white",
        None,
        None,
        (places["sink in the kitchen"].x_m, d - 0.01, 1.35),
        math.pi,
    )
    return room, things
