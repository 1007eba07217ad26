"""Furniture and appliances: what stands in a room and holds, hides, heats, cools and lights."""

from __future__ import annotations

from collections.abc import Callable

from er_bench.sim.home.kinds import Kind, Look, grid
from er_bench.sim.home.parts import Part, ball, box, cone, disc, door, moved, shell, shifted
from er_bench.sim.home.solids import Pose, Vec

DOORS = ("white", "brown", "blue", "green", "red", "yellow")
TOPS = ("wood", "brown", "black", "white")


def _table(w: float, d: float, h: float) -> list[Part]:
    legs = [
        box(0.05, 0.05, h - 0.04, (sx * (w / 2 - 0.05), sy * (d / 2 - 0.05), 0))
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return [box(w, d, 0.04, (0, 0, h - 0.04)), *legs]


def _block(w: float, d: float, h: float, top: str) -> list[Part]:
    """A chest with a top of another colour."""
    return [box(w, d, h - 0.04), box(w + 0.02, d + 0.02, 0.04, (0, 0, h - 0.04), top)]


def _seat(w: float, d: float) -> list[Part]:
    cushions = box(w - 0.3, d - 0.25, 0.06, (0, 0.1, 0.38), "grey")
    arms = [box(0.15, d, 0.58, (s * (w / 2 - 0.075), 0, 0)) for s in (-1, 1)]
    return [box(w, d, 0.38), box(w, 0.18, 0.85, (0, -d / 2 + 0.09, 0)), cushions, *arms]


def _cabinet(look: Look) -> list[Part]:
    w, d, h = 0.6, 0.35, 0.62
    shelf = box(w - 0.04, d - 0.04, 0.015, (0, 0, 0.3), "cream")
    return [
        *shell(w, d, h, (0, 0, 0), "cream"),
        shelf,
        *door(w, h, (0, d / 2, 0), look.is_open, None),
    ]


def _drawer(look: Look) -> list[Part]:
    w, d, h = 0.44, 0.42, 0.16
    tray = [
        box(w, d, 0.012, colour="cream"),
        box(0.012, d, h * 0.7, (-w / 2, 0, 0), "cream"),
        box(0.012, d, h * 0.7, (w / 2, 0, 0), "cream"),
    ]
    front = [
        box(w + 0.03, 0.02, h, (0, d / 2, 0)),
        box(0.14, 0.03, 0.02, (0, d / 2 + 0.02, h / 2), "silver"),
    ]
    return shifted([*tray, *front], (0, DRAWER_SLIDE_M if look.is_open else 0.0, 0))


DRAWER_SLIDE_M = 0.36


def _fridge(look: Look) -> list[Part]:
    w, d, h = 0.75, 0.65, 1.75
    shelves = [box(w - 0.06, d - 0.06, 0.015, (0, 0, z), "glass") for z in (0.55, 0.95, 1.32)]
    return [
        *shell(w, d, h, (0, 0, 0), None, 0.03),
        *shelves,
        *door(w, h, (0, d / 2, 0), look.is_open, None, "grey"),
    ]


def _microwave(look: Look) -> list[Part]:
    w, d, h = 0.5, 0.36, 0.3
    body = [
        *shell(w - 0.12, d, h, (-0.06, 0, 0), None),
        box(0.12, d, h, (w / 2 - 0.06, 0, 0), "grey"),
    ]
    light = "lit" if look.is_on else "black"
    panel = Part(
        "box", (0.04, 0.004, 0.03), (w / 2 - 0.06, d / 2, 0.24), light, 1.0 if look.is_on else 0.0
    )
    leaf = door(w - 0.12, h, (-0.06, d / 2, 0), look.is_open, None, "black")
    if look.is_open:
        return [*body, panel, *leaf]
    window = Part(
        "box", (0.13, 0.004, 0.09), (-0.08, d / 2 + 0.022, 0.15), light, 1.0 if look.is_on else 0.0
    )
    return [*body, panel, *leaf, window]


def _safe(look: Look) -> list[Part]:
    w, d, h = 0.45, 0.42, 0.45
    leaf = door(w, h, (0, d / 2, 0), look.is_open, None, "yellow")
    return [*shell(w, d, h, (0, 0, 0), None, 0.04), *leaf]


def _basin(w: float) -> list[Part]:
    d, h = 0.6, 0.9
    rim = [
        box(w, 0.12, 0.2, (0, -d / 2 + 0.06, 0.7), "silver"),
        box(w, 0.06, 0.2, (0, d / 2 - 0.03, 0.7), "silver"),
        box(0.12, d, 0.2, (-w / 2 + 0.06, 0, 0.7), "silver"),
        box(0.12, d, 0.2, (w / 2 - 0.06, 0, 0.7), "silver"),
    ]
    return [box(w, d, h - 0.2), box(w - 0.2, d - 0.16, 0.01, (0, 0.02, 0.7), "grey"), *rim]


def _faucet(look: Look) -> list[Part]:
    parts = [
        disc(0.018, 0.24),
        box(0.03, 0.17, 0.03, (0, 0.07, 0.22)),
        box(0.1, 0.02, 0.02, (0, 0, 0.1)),
    ]
    if look.is_on:
        parts.append(Part("cylinder", (0.014, 0.014, 0.2), (0, 0.14, 0.02), "blue", 0.9))
    return parts


def _lamp(stem_m: float, shade_m: float) -> Callable[[Look], list[Part]]:
    def build(look: Look) -> list[Part]:
        foot = [
            disc(shade_m * 0.7, 0.02, colour="black"),
            disc(0.012, stem_m, (0, 0, 0.02), "black"),
        ]
        colour, glow = ("lit", 1.0) if look.is_on else (None, 0.0)
        shade = cone(shade_m, shade_m * 0.45, shade_m * 1.3, (0, 0, stem_m * 0.85), colour, glow)
        return [*foot, *shade]

    return build


def _burner(look: Look) -> list[Part]:
    return [
        disc(0.11, 0.012),
        disc(0.07, 0.014, (0, 0, 0), "grey"),
        disc(0.03, 0.016, (0, 0, 0), "black"),
    ]


def _stove(look: Look) -> list[Part]:
    knobs = [
        Part("box", (0.015, 0.012, 0.015), (x, 0.31, 0.82), "black")
        for x in (-0.22, -0.08, 0.08, 0.22)
    ]
    window = Part("box", (0.22, 0.004, 0.14), (0, 0.302, 0.45), "black")
    return [box(0.7, 0.6, 0.9), window, *knobs, box(0.5, 0.03, 0.02, (0, 0.32, 0.65), "silver")]


def _coffee_machine(look: Look) -> list[Part]:
    return [
        box(0.22, 0.26, 0.02),
        box(0.22, 0.10, 0.32, (0, -0.08, 0)),
        box(0.22, 0.24, 0.08, (0, 0, 0.26)),
        disc(0.015, 0.03, (0, 0.05, 0.23), "silver"),
        Part("box", (0.02, 0.004, 0.01), (0.05, 0.121, 0.30), "red", 0.6),
    ]


def _toilet(look: Look) -> list[Part]:
    seat = Part("cylinder", (0.19, 0.24, 0.03), (0, 0.12, 0.42), "cream")
    return [box(0.30, 0.5, 0.38, (0, 0.05, 0)), seat, box(0.45, 0.2, 0.85, (0, -0.25, 0))]


def _tub(look: Look) -> list[Part]:
    w, d, h = 1.5, 0.75, 0.5
    return [
        box(w, d, 0.1),
        box(w, 0.07, h, (0, d / 2 - 0.035, 0)),
        box(w, 0.07, h, (0, -d / 2 + 0.035, 0)),
        box(0.07, d, h, (w / 2 - 0.035, 0, 0)),
        box(0.07, d, h, (-w / 2 + 0.035, 0, 0)),
        disc(0.03, 0.004, (0.5, 0, 0.1), "grey"),
    ]


def _bed(look: Look) -> list[Part]:
    head = box(1.4, 0.08, 0.95, (0, -0.96, 0), "brown")
    return [
        box(1.4, 2.0, 0.3, colour="brown"),
        box(1.36, 1.9, 0.2, (0, 0.03, 0.3)),
        box(1.38, 1.0, 0.03, (0, 0.45, 0.5), "cream"),
        head,
    ]


def _bin(look: Look) -> list[Part]:
    w, h = 0.32, 0.42
    return [
        *(moved(box(w, 0.02, h, (0, w / 2, 0)), Pose.at(0, 0, 0, k * 1.5707963)) for k in range(4)),
        box(w, w, 0.2, colour="black"),
    ]


def _tv_stand(look: Look) -> list[Part]:
    screen = Part("box", (0.42, 0.015, 0.25), (0, -0.14, 0.95), "black")
    return [*_block(1.5, 0.45, 0.6, "wood"), screen, box(0.25, 0.1, 0.1, (0, -0.14, 0.6), "black")]


def _chair(look: Look) -> list[Part]:
    return [*_table(0.5, 0.5, 0.46), box(0.5, 0.05, 0.5, (0, -0.225, 0.46))]


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
        _block(1.2, 0.6, 0.9, "grey"),
        grid((-0.45, -0.15, 0.15, 0.45), (0.14, -0.12), 0.9),
    ),
    _f(
        "DiningTable",
        (1.4, 0.8, 0.75),
        TOPS,
        _table(1.4, 0.8, 0.75),
        grid((-0.5, -0.17, 0.17, 0.5), (0.24, 0.0, -0.24), 0.75),
    ),
    _f(
        "CoffeeTable",
        (1.0, 0.6, 0.42),
        TOPS,
        _table(1.0, 0.6, 0.42),
        grid((-0.35, 0.0, 0.35), (0.15, -0.15), 0.42),
    ),
    _f(
        "SideTable",
        (0.6, 0.45, 0.6),
        TOPS,
        _table(0.6, 0.45, 0.6),
        grid((-0.17, 0.17), (0.12, -0.1), 0.6),
    ),
    _f(
        "Desk",
        (1.3, 0.6, 0.75),
        TOPS,
        _table(1.3, 0.6, 0.75),
        grid((-0.45, -0.15, 0.15, 0.45), (0.14, -0.12), 0.75),
    ),
    _f(
        "Dresser",
        (1.1, 0.5, 0.95),
        ("white", "brown", "wood"),
        _block(1.1, 0.5, 0.95, "wood"),
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
        [*_table(0.6, 0.45, 0.8), box(0.58, 0.43, 0.03, (0, 0, 0.35))],
        grid((-0.17, 0.17), (0.1, -0.1), 0.8),
    ),
    _f(
        "Bed",
        (1.4, 2.0, 0.53),
        ("blue", "green", "red"),
        _bed,
        grid((-0.4, 0.0, 0.4), (0.75, 0.4), 0.53),
    ),
    _f(
        "Sofa",
        (1.7, 0.85, 0.85),
        ("blue", "brown", "green"),
        _seat(1.7, 0.85),
        grid((-0.45, 0.0, 0.45), (0.15,), 0.44),
    ),
    _f(
        "ArmChair",
        (0.9, 0.85, 0.85),
        ("red", "teal", "brown"),
        _seat(0.9, 0.85),
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
        _cabinet,
        ((-0.15, 0.05, 0.02), (0.15, 0.05, 0.02), (-0.15, 0.05, 0.315), (0.15, 0.05, 0.315)),
        openable=True,
    ),
    _f(
        "Drawer",
        (0.44, 0.42, 0.16),
        DOORS,
        _drawer,
        grid((-0.12, 0.12), (0.10, -0.03), 0.014),
        max_bulk=2,
        openable=True,
        slides_m=DRAWER_SLIDE_M,
    ),
    _f(
        "Fridge",
        (0.75, 0.65, 1.75),
        ("white", "silver", "red"),
        _fridge,
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
        _microwave,
        ((-0.13, 0.02, 0.022), (0.03, 0.02, 0.022)),
        openable=True,
        toggleable=True,
    ),
    _f(
        "Safe",
        (0.45, 0.42, 0.45),
        ("grey", "green"),
        _safe,
        ((-0.09, 0.05, 0.042), (0.09, 0.05, 0.042)),
        max_bulk=2,
        openable=True,
    ),
    _f(
        "GarbageCan",
        (0.34, 0.34, 0.42),
        ("grey", "green", "black"),
        _bin,
        grid((-0.07, 0.07), (0.05, -0.07), 0.2),
        max_bulk=3,
    ),
    _f("Sink", (0.8, 0.6, 0.9), ("white",), _basin(0.8), grid((-0.15, 0.15), (0.1, -0.06), 0.71)),
    _f("Faucet", (0.1, 0.2, 0.25), ("silver",), _faucet, toggleable=True),
    _f("Stove", (0.7, 0.6, 0.9), ("white", "silver"), _stove),
    _f(
        "StoveBurner",
        (0.24, 0.24, 0.02),
        ("black",),
        _burner,
        ((0, 0, 0.016),),
        only=("Pan", "Pot", "Kettle"),
    ),
    _f(
        "CoffeeMachine",
        (0.22, 0.26, 0.34),
        ("black", "red"),
        _coffee_machine,
        ((0, 0.05, 0.02),),
        only=("Mug", "Cup"),
    ),
    _f("Toilet", (0.45, 0.7, 0.85), ("white",), _toilet, ((-0.1, -0.25, 0.85), (0.1, -0.25, 0.85))),
    _f("Bathtub", (1.5, 0.75, 0.5), ("white",), _tub, grid((-0.4, 0.0, 0.3), (0.1,), 0.1)),
    _f(
        "DeskLamp",
        (0.24, 0.24, 0.4),
        ("red", "blue", "green", "white"),
        _lamp(0.26, 0.11),
        toggleable=True,
    ),
    _f("FloorLamp", (0.4, 0.4, 1.6), ("white", "red", "green"), _lamp(1.15, 0.2), toggleable=True),
    _f("TVStand", (1.5, 0.45, 0.6), ("black", "brown"), _tv_stand, grid(_WIDE, (0.12, -0.04), 0.6)),
    _f("Table", (1.4, 0.8, 0.8), TOPS, _table(1.4, 0.8, 0.8), grid(_WIDE, (0.25, 0.0, -0.25), 0.8)),
    _f(
        "Chair", (0.5, 0.5, 0.96), ("brown", "red"), _chair, grid((-0.12, 0.12), (0.1, -0.05), 0.46)
    ),
    _f(
        "LeftCounter",
        (0.95, 0.6, 0.9),
        ("cream", "white"),
        _block(0.95, 0.6, 0.9, "grey"),
        grid((-0.36, -0.12, 0.12, 0.36), (0.15, 0.0, -0.15), 0.9),
    ),
    _f(
        "RightCounter",
        (1.5, 0.6, 0.9),
        ("cream", "white"),
        _block(1.5, 0.6, 0.9, "grey"),
        grid(_WIDE, (0.15, 0.0, -0.15), 0.9),
    ),
    _f(
        "KitchenSink",
        (0.55, 0.6, 0.9),
        ("white",),
        _basin(0.55),
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
