"""Things that fit in a hand: fruit, dishes, tools. Told apart by shape and colour."""

from __future__ import annotations

import math
from collections.abc import Callable

from er_bench.worlds.home.object_kinds import Kind, Look
from er_bench.worlds.home.parts import Part, ball, box, cone, cup_shape, disc, moved, rod
from er_bench.worlds.home.solids import Pose, Vec, turn_x

MANY = ("white", "red", "blue", "green", "yellow", "black")


def _still(parts: list[Part]) -> Callable[[Look], list[Part]]:
    return lambda look: parts


def _sliceable(whole: list[Part], r: float, inside: str) -> Callable[[Look], list[Part]]:
    """A thing that falls into three slices of radius r."""

    def build(look: Look) -> list[Part]:
        if not look.is_sliced:
            return whole
        slices = []
        for k in (-1, 0, 1):
            x = k * r * 0.9
            slices += [
                disc(r, 0.015, (x, 0, 0.012 * (k + 1))),
                disc(r * 0.85, 0.002, (x, 0, 0.015 + 0.012 * (k + 1)), inside),
            ]
        return slices

    return build


_APPLE = [ball(0.045, 0.045, 0.045), disc(0.006, 0.02, (0, 0, 0.085), "brown")]
_TOMATO = [ball(0.045, 0.045, 0.036), disc(0.02, 0.006, (0, 0, 0.068), "leaf")]
_POTATO = [ball(0.06, 0.04, 0.036), ball(0.03, 0.03, 0.03, (0.03, 0.01, 0.002))]
_LETTUCE = [
    ball(0.075, 0.075, 0.07),
    *(
        ball(0.04, 0.04, 0.045, (0.05 * x, 0.05 * y, 0.03), "green")
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))
    ),
]


def _bread(look: Look) -> list[Part]:
    if not look.is_sliced:
        return [box(0.22, 0.10, 0.07), ball(0.11, 0.05, 0.04, (0, 0, 0.04))]
    return [
        p
        for k in range(4)
        for p in (
            box(0.02, 0.10, 0.10, (0.06 * k - 0.09, 0, 0)),
            box(0.003, 0.085, 0.085, (0.06 * k - 0.078, 0, 0.007), "cream"),
        )
    ]


def _laptop(look: Look) -> list[Part]:
    base = [box(0.32, 0.22, 0.02, colour="grey")]
    if not look.is_open:
        return [*base, box(0.32, 0.22, 0.012, (0, 0, 0.02))]
    lid = [
        box(0.32, 0.012, 0.22),
        Part("box", (0.145, 0.002, 0.095), (0, 0.008, 0.11), "blue", 0.8),
    ]
    return [*base, *(moved(p, Pose.at(0, -0.11, 0.02)) for p in lid)]


def _carton(look: Look) -> list[Part]:
    w, d, h = 0.30, 0.24, 0.16
    walls = [
        box(w, 0.01, h, (0, -d / 2, 0)),
        box(w, 0.01, h, (0, d / 2, 0)),
        box(0.01, d, h, (-w / 2, 0, 0)),
        box(0.01, d, h, (w / 2, 0, 0)),
        box(w, d, 0.01),
    ]
    return (
        walls
        if look.is_open
        else [*walls, box(w, d, 0.012, (0, 0, h)), box(0.05, d, 0.004, (0, 0, h + 0.012), "cream")]
    )


def _knife(length: float, blade: str) -> list[Part]:
    return [
        box(length * 0.6, 0.028, 0.008, (length * 0.2, 0, 0), blade),
        box(length * 0.4, 0.026, 0.018, (-length * 0.3, 0, 0)),
    ]


def _mug(r: float = 0.042, h: float = 0.095) -> list[Part]:
    return [*cup_shape(r, h), box(0.035, 0.012, 0.055, (r + 0.015, 0, 0.02))]


def _pan(r: float, h: float) -> list[Part]:
    return [
        disc(r, h),
        disc(r * 0.88, 0.004, (0, 0, h), "grey"),
        box(0.16, 0.025, 0.02, (r + 0.07, 0, h * 0.5), "black"),
    ]


def _bottle(r: float, h: float, cap: str) -> list[Part]:
    return [
        disc(r, h * 0.7),
        *cone(r, r * 0.4, h * 0.12, (0, 0, h * 0.7)),
        disc(r * 0.4, h * 0.18, (0, 0, h * 0.82), cap),
    ]


def small(
    name: str,
    bulk: int,
    colours: tuple[str, ...],
    parts: list[Part] | Callable[[Look], list[Part]],
    *,
    size: Vec = (0.1, 0.1, 0.1),
    spots: tuple[Vec, ...] = (),
    max_bulk: int = 2,
    openable: bool = False,
    sliceable: bool = False,
) -> Kind:
    """A kind of thing that fits in a hand. `parts` is a list where its looks never change."""
    build = parts if callable(parts) else _still(parts)
    return Kind(
        name, size, build, colours, spots, max_bulk, bulk, openable=openable, sliceable=sliceable
    )


_KINDS = (
    small(
        "Apple", 2, ("red", "green", "yellow"), _sliceable(_APPLE, 0.045, "cream"), sliceable=True
    ),
    small("Tomato", 2, ("red", "orange"), _sliceable(_TOMATO, 0.04, "pink"), sliceable=True),
    small("Potato", 2, ("wood",), _sliceable(_POTATO, 0.042, "cream"), sliceable=True),
    small("Lettuce", 2, ("leaf",), _sliceable(_LETTUCE, 0.075, "white"), sliceable=True),
    small("Bread", 2, ("crust",), _bread, sliceable=True, size=(0.24, 0.1, 0.1)),
    small("Egg", 2, ("cream",), [ball(0.03, 0.03, 0.038)]),
    small("Mug", 2, MANY, _mug(), spots=((0, 0, 0.06),), max_bulk=1),
    small(
        "Cup",
        2,
        ("blue", "red", "green", "yellow", "white"),
        [*cone(0.03, 0.045, 0.11), disc(0.038, 0.003, (0, 0, 0.11), "grey")],
        spots=((0, 0, 0.07),),
        max_bulk=1,
    ),
    small(
        "Bowl",
        2,
        ("teal", "red", "white", "yellow", "purple"),
        [*cone(0.045, 0.085, 0.065), disc(0.074, 0.003, (0, 0, 0.065), "cream")],
        size=(0.17, 0.17, 0.07),
        spots=((0, 0, 0.05),),
        max_bulk=2,
    ),
    small(
        "Plate",
        3,
        ("white", "blue", "red", "green", "yellow"),
        [disc(0.12, 0.012), disc(0.08, 0.003, (0, 0, 0.012), "cream")],
        size=(0.24, 0.24, 0.02),
        spots=((0, 0, 0.016),),
        max_bulk=2,
    ),
    small(
        "Pan",
        3,
        ("black", "red"),
        _pan(0.12, 0.04),
        size=(0.3, 0.24, 0.05),
        spots=((0, 0, 0.04),),
        max_bulk=2,
    ),
    small(
        "Pot",
        3,
        ("silver", "red"),
        [*_pan(0.11, 0.13), box(0.06, 0.025, 0.02, (-0.13, 0, 0.09), "black")],
        size=(0.3, 0.22, 0.13),
        spots=((0, 0, 0.12),),
        max_bulk=2,
    ),
    small(
        "Kettle",
        3,
        ("silver", "red"),
        [
            *cone(0.10, 0.06, 0.15),
            rod(0.012, 0.12, (0, 0, 0.20), "black"),
            box(0.06, 0.02, 0.02, (0.10, 0, 0.09)),
        ],
        size=(0.2, 0.2, 0.2),
    ),
    small("Knife", 1, ("black",), _knife(0.30, "silver"), size=(0.3, 0.03, 0.02)),
    small("ButterKnife", 1, ("cream",), _knife(0.20, "silver"), size=(0.2, 0.03, 0.02)),
    small(
        "Fork",
        1,
        ("silver",),
        [
            box(0.13, 0.014, 0.008, (-0.03, 0, 0)),
            *(box(0.06, 0.005, 0.008, (0.06, y, 0)) for y in (-0.014, 0, 0.014)),
        ],
        size=(0.2, 0.03, 0.02),
    ),
    small(
        "Spoon",
        1,
        ("silver",),
        [box(0.13, 0.014, 0.008, (-0.03, 0, 0)), ball(0.032, 0.022, 0.008, (0.06, 0, 0))],
        size=(0.2, 0.04, 0.02),
    ),
    small(
        "Spatula",
        1,
        ("black", "red"),
        [box(0.20, 0.018, 0.012, (-0.05, 0, 0), "wood"), box(0.09, 0.07, 0.008, (0.09, 0, 0))],
        size=(0.3, 0.07, 0.02),
    ),
    small(
        "DishSponge",
        1,
        ("yellow", "green", "pink"),
        [box(0.10, 0.065, 0.03), box(0.10, 0.065, 0.012, (0, 0, 0.03), "green")],
    ),
    small(
        "Cloth",
        1,
        ("blue", "pink", "white"),
        [box(0.16, 0.14, 0.012), box(0.12, 0.11, 0.012, (0.01, 0, 0.012))],
    ),
    small("SoapBar", 1, ("pink", "green"), [ball(0.05, 0.032, 0.018)]),
    small("SoapBottle", 2, ("purple", "orange"), _bottle(0.035, 0.19, "white")),
    small(
        "SprayBottle",
        2,
        ("teal", "red"),
        [*_bottle(0.04, 0.22, "black"), box(0.09, 0.025, 0.03, (0.02, 0, 0.20), "black")],
    ),
    small(
        "Book",
        2,
        ("blue", "red", "green", "yellow", "black"),
        [
            box(0.16, 0.22, 0.035),
            box(0.15, 0.21, 0.029, (0.008, 0, 0.003), "white"),
            box(0.08, 0.03, 0.002, (0, 0.04, 0.035), "cream"),
        ],
        size=(0.18, 0.24, 0.04),
    ),
    small(
        "Pen",
        1,
        ("blue", "red"),
        [rod(0.008, 0.14, (0, 0, 0.008)), rod(0.009, 0.03, (-0.06, 0, 0.008), "black")],
    ),
    small(
        "Pencil",
        1,
        ("yellow",),
        [rod(0.007, 0.16, (0, 0, 0.007)), rod(0.008, 0.02, (-0.08, 0, 0.007), "pink")],
    ),
    small(
        "CellPhone",
        1,
        ("black", "white", "red"),
        [box(0.075, 0.15, 0.01), Part("box", (0.032, 0.066, 0.001), (0, 0, 0.0105), "blue", 0.7)],
    ),
    small(
        "KeyChain",
        1,
        ("yellow",),
        [
            disc(0.03, 0.008),
            disc(0.018, 0.01, (0, 0, 0), "grey"),
            box(0.07, 0.014, 0.006, (0.055, 0, 0), "silver"),
        ],
    ),
    small(
        "CreditCard",
        1,
        ("blue", "red"),
        [box(0.10, 0.065, 0.004), box(0.10, 0.014, 0.005, (0, 0.015, 0), "black")],
    ),
    small(
        "RemoteControl",
        1,
        ("black",),
        [
            box(0.05, 0.18, 0.02),
            *(
                disc(0.007, 0.004, (0, y, 0.02), c)
                for y, c in ((0.06, "red"), (0.02, "white"), (-0.02, "white"), (-0.06, "green"))
            ),
        ],
    ),
    small(
        "AlarmClock",
        2,
        ("red", "black"),
        [
            Part(
                "cylinder", (0.055, 0.055, 0.025), (0, 0, 0.065), None, rotation=turn_x(math.pi / 2)
            ),
            Part(
                "cylinder",
                (0.045, 0.045, 0.003),
                (0, 0.026, 0.065),
                "white",
                rotation=turn_x(math.pi / 2),
            ),
            ball(0.018, 0.018, 0.014, (-0.03, 0, 0.115), "silver"),
            ball(0.018, 0.018, 0.014, (0.03, 0, 0.115), "silver"),
        ],
    ),
    small(
        "Candle",
        2,
        ("white", "red", "green", "purple"),
        [disc(0.035, 0.10), disc(0.004, 0.02, (0, 0, 0.10), "black")],
    ),
    small(
        "Vase",
        3,
        ("purple", "white", "blue", "orange"),
        [
            *cone(0.045, 0.075, 0.12),
            *cone(0.075, 0.03, 0.09, (0, 0, 0.12)),
            disc(0.04, 0.02, (0, 0, 0.21)),
        ],
        size=(0.15, 0.15, 0.23),
    ),
    small(
        "Pillow",
        3,
        ("white", "red", "blue", "yellow"),
        [ball(0.22, 0.15, 0.07), box(0.36, 0.22, 0.06, (0, 0, 0.04))],
        size=(0.4, 0.3, 0.14),
    ),
    small("Laptop", 3, ("silver", "black"), _laptop, openable=True, size=(0.32, 0.24, 0.05)),
    small(
        "Box",
        3,
        ("wood", "blue"),
        _carton,
        openable=True,
        spots=((-0.06, 0, 0.012), (0.07, 0, 0.012)),
        size=(0.3, 0.24, 0.17),
    ),
    small(
        "Statue",
        2,
        ("grey", "black"),
        [
            box(0.09, 0.09, 0.03, colour="brown"),
            *cone(0.04, 0.02, 0.14, (0, 0, 0.03)),
            ball(0.03, 0.03, 0.03, (0, 0, 0.165)),
        ],
    ),
    small(
        "WateringCan",
        3,
        ("green", "blue"),
        [disc(0.07, 0.14), rod(0.012, 0.14, (0.12, 0, 0.11)), rod(0.01, 0.06, (-0.09, 0, 0.09))],
        size=(0.3, 0.15, 0.16),
    ),
    small(
        "Newspaper",
        1,
        ("cream",),
        [
            box(0.28, 0.20, 0.015),
            *(box(0.24, 0.012, 0.002, (0, y, 0.015), "grey") for y in (-0.07, -0.04, -0.01, 0.02)),
            box(0.24, 0.03, 0.002, (0, 0.07, 0.015), "black"),
        ],
        size=(0.28, 0.2, 0.02),
    ),
    small(
        "ToiletPaper", 2, ("white",), [disc(0.055, 0.10), disc(0.02, 0.003, (0, 0, 0.10), "brown")]
    ),
    small(
        "TissueBox",
        2,
        ("blue", "pink"),
        [box(0.22, 0.11, 0.08), *cone(0.04, 0.01, 0.05, (0, 0, 0.08), "white")],
    ),
    small("BasketBall", 3, ("orange",), [ball(0.12, 0.12, 0.12)], size=(0.24, 0.24, 0.24)),
    small(
        "Watch", 1, ("brown",), [box(0.14, 0.025, 0.006), disc(0.025, 0.012, (0, 0, 0), "yellow")]
    ),
    small("CD", 1, ("silver",), [disc(0.06, 0.004), disc(0.012, 0.006, (0, 0, 0), "black")]),
)

OBJECTS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
