"""Furniture and appliances: what stands in a room and holds, hides, heats, cools and lights."""

from __future__ import annotations

from collections.abc import Callable

from er_bench.worlds.home import furniture_shapes as build
from er_bench.worlds.home.object_kinds import Kind, Look, grid
from er_bench.worlds.home.parts import Part, ball, box
from er_bench.worlds.home.solids import Vec

DOORS = ("white", "brown", "blue", "green", "red", "yellow")
TOPS = ("wood", "brown", "black", "white")


def _f(
    name: str,
    size: Vec,
    colours: tuple[str, ...],
    parts: list[Part] | Callable[[Look], list[Part]],
    spots: tuple[Vec, ...] = (),
    *,
    max_bulk: int = 3,
    openable: bool = False,
    toggleable: bool = False,
    slides_m: float = 0.0,
    only: tuple[str, ...] = (),
) -> Kind:
    build = parts if callable(parts) else (lambda look: parts)
    return Kind(
        name, size, build, colours, spots, max_bulk, 0, openable, toggleable, False, slides_m, only
    )


_WIDE = (-0.6, -0.3, 0.0, 0.3, 0.6)
_KINDS = (
    _f(
        "CounterTop",
        (1.2, 0.6, 0.9),
        ("cream", "white", "teal"),
        build.block(1.2, 0.6, 0.9, "grey"),
        grid((-0.45, -0.15, 0.15, 0.45), (0.14, -0.12), 0.9),
    ),
    _f(
        "DiningTable",
        (1.4, 0.8, 0.75),
        TOPS,
        build.table(1.4, 0.8, 0.75),
        grid((-0.5, -0.17, 0.17, 0.5), (0.24, 0.0, -0.24), 0.75),
    ),
    _f(
        "CoffeeTable",
        (1.0, 0.6, 0.42),
        TOPS,
        build.table(1.0, 0.6, 0.42),
        grid((-0.35, 0.0, 0.35), (0.15, -0.15), 0.42),
    ),
    _f(
        "SideTable",
        (0.6, 0.45, 0.6),
        TOPS,
        build.table(0.6, 0.45, 0.6),
        grid((-0.17, 0.17), (0.12, -0.1), 0.6),
    ),
    _f(
        "Desk",
        (1.3, 0.6, 0.75),
        TOPS,
        build.table(1.3, 0.6, 0.75),
        grid((-0.45, -0.15, 0.15, 0.45), (0.14, -0.12), 0.75),
    ),
    _f(
        "Dresser",
        (1.1, 0.5, 0.95),
        ("white", "brown", "wood"),
        build.block(1.1, 0.5, 0.95, "wood"),
        grid((-0.38, 0.0, 0.38), (0.12, -0.1), 0.95),
    ),
    _f(
        "Shelf",
        (0.9, 0.28, 0.04),
        ("wood", "white"),
        [
            box(0.9, 0.28, 0.03),
            box(0.03, 0.2, 0.12, (-0.35, -0.04, -0.12)),
            box(0.03, 0.2, 0.12, (0.35, -0.04, -0.12)),
        ],
        grid((-0.3, 0.0, 0.3), (0.03,), 0.03),
        max_bulk=3,
    ),
    _f(
        "Cart",
        (0.6, 0.45, 0.8),
        ("silver",),
        [*build.table(0.6, 0.45, 0.8), box(0.58, 0.43, 0.03, (0, 0, 0.35))],
        grid((-0.17, 0.17), (0.1, -0.1), 0.8),
    ),
    _f(
        "Bed",
        (1.4, 2.0, 0.53),
        ("blue", "green", "red"),
        build.bed,
        grid((-0.4, 0.0, 0.4), (0.75, 0.4), 0.53),
    ),
    _f(
        "Sofa",
        (1.7, 0.85, 0.85),
        ("blue", "brown", "green"),
        build.seat(1.7, 0.85),
        grid((-0.45, 0.0, 0.45), (0.15,), 0.44),
    ),
    _f(
        "ArmChair",
        (0.9, 0.85, 0.85),
        ("red", "teal", "brown"),
        build.seat(0.9, 0.85),
        grid((-0.13, 0.13), (0.15,), 0.44),
    ),
    _f(
        "Ottoman",
        (0.6, 0.5, 0.42),
        ("brown", "purple"),
        [box(0.6, 0.5, 0.36), box(0.56, 0.46, 0.06, (0, 0, 0.36), "cream")],
        grid((-0.15, 0.15), (0.0,), 0.42),
    ),
    _f(
        "Cabinet",
        (0.6, 0.35, 0.62),
        DOORS,
        build.cabinet,
        ((-0.15, 0.05, 0.02), (0.15, 0.05, 0.02), (-0.15, 0.05, 0.315), (0.15, 0.05, 0.315)),
        openable=True,
    ),
    _f(
        "Drawer",
        (0.44, 0.42, 0.16),
        DOORS,
        build.drawer,
        grid((-0.12, 0.12), (0.10, -0.03), 0.014),
        max_bulk=2,
        openable=True,
        slides_m=build.DRAWER_SLIDE_M,
    ),
    _f(
        "Fridge",
        (0.75, 0.65, 1.75),
        ("white", "silver", "red"),
        build.fridge,
        (
            (-0.17, 0.1, 0.97),
            (0.17, 0.1, 0.97),
            (-0.17, 0.1, 1.34),
            (0.17, 0.1, 1.34),
            (-0.17, 0.1, 0.57),
            (0.17, 0.1, 0.57),
        ),
        openable=True,
    ),
    _f(
        "Microwave",
        (0.5, 0.36, 0.3),
        ("white", "black"),
        build.microwave,
        ((-0.13, 0.02, 0.022), (0.03, 0.02, 0.022)),
        openable=True,
        toggleable=True,
    ),
    _f(
        "Safe",
        (0.45, 0.42, 0.45),
        ("grey", "green"),
        build.safe,
        ((-0.09, 0.05, 0.042), (0.09, 0.05, 0.042)),
        max_bulk=2,
        openable=True,
    ),
    _f(
        "GarbageCan",
        (0.34, 0.34, 0.42),
        ("grey", "green", "black"),
        build.bin,
        grid((-0.07, 0.07), (0.05, -0.07), 0.2),
        max_bulk=3,
    ),
    _f(
        "Sink",
        (0.8, 0.6, 0.9),
        ("white",),
        build.basin(0.8),
        grid((-0.15, 0.15), (0.1, -0.06), 0.71),
    ),
    _f("Faucet", (0.1, 0.2, 0.25), ("silver",), build.faucet, toggleable=True),
    _f("Stove", (0.7, 0.6, 0.9), ("white", "silver"), build.stove),
    _f(
        "StoveBurner",
        (0.24, 0.24, 0.02),
        ("black",),
        build.burner,
        ((0, 0, 0.016),),
        only=("Pan", "Pot", "Kettle"),
    ),
    _f(
        "CoffeeMachine",
        (0.22, 0.26, 0.34),
        ("black", "red"),
        build.coffee_machine,
        ((0, 0.05, 0.02),),
        only=("Mug", "Cup"),
    ),
    _f(
        "Toilet",
        (0.45, 0.7, 0.85),
        ("white",),
        build.toilet,
        ((-0.1, -0.25, 0.85), (0.1, -0.25, 0.85)),
    ),
    _f("Bathtub", (1.5, 0.75, 0.5), ("white",), build.tub, grid((-0.4, 0.0, 0.3), (0.1,), 0.1)),
    _f(
        "DeskLamp",
        (0.24, 0.24, 0.4),
        ("red", "blue", "green", "white"),
        build.lamp(0.26, 0.11),
        toggleable=True,
    ),
    _f(
        "FloorLamp",
        (0.4, 0.4, 1.6),
        ("white", "red", "green"),
        build.lamp(1.15, 0.2),
        toggleable=True,
    ),
    _f(
        "TVStand",
        (1.5, 0.45, 0.6),
        ("black", "brown"),
        build.tv_stand,
        grid(_WIDE, (0.12, -0.04), 0.6),
    ),
    _f(
        "Table",
        (1.4, 0.8, 0.8),
        TOPS,
        build.table(1.4, 0.8, 0.8),
        grid(_WIDE, (0.25, 0.0, -0.25), 0.8),
    ),
    _f(
        "Chair",
        (0.5, 0.5, 0.96),
        ("brown", "red"),
        build.chair,
        grid((-0.12, 0.12), (0.1, -0.05), 0.46),
    ),
    _f(
        "LeftCounter",
        (0.95, 0.6, 0.9),
        ("cream", "white"),
        build.block(0.95, 0.6, 0.9, "grey"),
        grid((-0.36, -0.12, 0.12, 0.36), (0.15, 0.0, -0.15), 0.9),
    ),
    _f(
        "RightCounter",
        (1.5, 0.6, 0.9),
        ("cream", "white"),
        build.block(1.5, 0.6, 0.9, "grey"),
        grid(_WIDE, (0.15, 0.0, -0.15), 0.9),
    ),
    _f(
        "KitchenSink",
        (0.55, 0.6, 0.9),
        ("white",),
        build.basin(0.55),
        grid((-0.1, 0.1), (0.1, -0.06), 0.71),
    ),
    _f(
        "Window",
        (1.0, 0.02, 0.9),
        ("white",),
        [
            box(1.1, 0.02, 1.0),
            Part("box", (0.5, 0.012, 0.45), (0, 0.003, 0.5), "glass", 0.95),
            box(0.03, 0.03, 0.9, (0, 0.01, 0.05)),
            box(1.0, 0.03, 0.03, (0, 0.01, 0.48)),
        ],
    ),
    _f(
        "Painting",
        (0.6, 0.02, 0.5),
        ("brown",),
        [
            box(0.7, 0.02, 0.5),
            box(0.6, 0.024, 0.4, (0, 0.002, 0.05), "cream"),
            ball(0.1, 0.01, 0.1, (0.1, 0.012, 0.12), "orange"),
            box(0.6, 0.026, 0.12, (0, 0.002, 0.05), "green"),
        ],
    ),
    _f(
        "Rug",
        (1.6, 1.2, 0.01),
        ("purple", "teal", "red"),
        [box(1.6, 1.2, 0.008), box(1.4, 1.0, 0.01, (0, 0, 0), "cream"), box(1.1, 0.7, 0.012)],
    ),
    _f(
        "Hood",
        (0.7, 0.4, 0.3),
        ("silver",),
        [box(0.7, 0.4, 0.1), box(0.3, 0.3, 0.6, (0, -0.05, 0.1))],
    ),
)

FURNITURE: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
SCENERY = frozenset(
    {"Stove", "Window", "Painting", "Rug", "Hood", "TVStand", "Table", "Chair"}
    | {"LeftCounter", "RightCounter", "KitchenSink"}
)
"""Furniture that no action of the `alfred` skills names."""
