"""The 33 categories of things of the `rearrange` skills, told apart by shape and colour."""

from __future__ import annotations

from er_bench.worlds.home.object_kinds import Kind
from er_bench.worlds.home.objects import OBJECTS, small
from er_bench.worlds.home.parts import Part, ball, box, cone, disc, rod
from er_bench.worlds.home.solids import Pose


def _plane() -> list[Part]:
    return [
        rod(0.025, 0.22, (0, 0, 0.04)),
        box(0.05, 0.26, 0.012, (0.01, 0, 0.04), "white"),
        box(0.03, 0.10, 0.01, (-0.10, 0, 0.05), "white"),
        box(0.03, 0.01, 0.06, (-0.10, 0, 0.05), "blue"),
    ]


def _drill() -> list[Part]:
    return [
        rod(0.032, 0.16, (0, 0, 0.15)),
        rod(0.010, 0.08, (0.11, 0, 0.15), "silver"),
        box(0.045, 0.04, 0.13, (-0.03, 0, 0), "black"),
    ]


def _clamp() -> list[Part]:
    return [
        box(0.16, 0.02, 0.02),
        box(0.02, 0.02, 0.10, (-0.07, 0, 0)),
        box(0.02, 0.02, 0.10, (0.05, 0, 0)),
        rod(0.012, 0.10, (0.06, 0, 0.085), "orange"),
    ]


def _scissors() -> list[Part]:
    return [
        box(0.12, 0.012, 0.008, (0.04, 0.01, 0), "silver"),
        box(0.12, 0.012, 0.008, (0.04, -0.01, 0), "silver"),
        disc(0.025, 0.012, (-0.05, 0.03, 0)),
        disc(0.025, 0.012, (-0.05, -0.03, 0)),
    ]


_KINDS = (
    small("ball", 2, ("yellow", "white", "orange"), [ball(0.05, 0.05, 0.05)]),
    small("clamp", 2, ("black",), _clamp()),
    small(
        "hammer",
        2,
        ("wood",),
        [rod(0.016, 0.26, (0, 0, 0.02)), box(0.035, 0.12, 0.04, (0.12, 0, 0), "black")],
    ),
    small(
        "screwdriver",
        1,
        ("red",),
        [rod(0.018, 0.10, (-0.06, 0, 0.018)), rod(0.007, 0.13, (0.05, 0, 0.018), "silver")],
    ),
    small(
        "padlock",
        1,
        ("yellow",),
        [
            box(0.06, 0.03, 0.05),
            box(0.008, 0.012, 0.05, (-0.02, 0, 0.05), "silver"),
            box(0.008, 0.012, 0.05, (0.02, 0, 0.05), "silver"),
            box(0.048, 0.012, 0.01, (0, 0, 0.095), "silver"),
        ],
    ),
    small("scissors", 1, ("orange",), _scissors()),
    small("block", 2, ("red", "wood", "blue"), [box(0.09, 0.09, 0.09)]),
    small("drill", 2, ("orange",), _drill()),
    small("spatula", 1, ("black",), OBJECTS["Spatula"].build),
    small("knife", 1, ("black",), OBJECTS["Knife"].build),
    small("spoon", 1, ("silver",), OBJECTS["Spoon"].build),
    small("plate", 2, ("white", "red", "blue"), OBJECTS["Plate"].build),
    small("sponge", 1, ("yellow",), OBJECTS["DishSponge"].build),
    small(
        "cleanser",
        2,
        ("white",),
        [
            disc(0.04, 0.20),
            disc(0.041, 0.08, (0, 0, 0.05), "blue"),
            disc(0.02, 0.04, (0, 0, 0.20), "red"),
        ],
    ),
    small(
        "plum",
        2,
        ("purple",),
        [ball(0.035, 0.035, 0.033), disc(0.004, 0.02, (0, 0, 0.06), "brown")],
    ),
    small(
        "pear",
        2,
        ("leaf",),
        [
            ball(0.04, 0.04, 0.04),
            ball(0.024, 0.024, 0.032, (0, 0, 0.055)),
            disc(0.004, 0.02, (0, 0, 0.11), "brown"),
        ],
    ),
    small(
        "peach",
        2,
        ("pink",),
        [ball(0.042, 0.042, 0.04), ball(0.02, 0.012, 0.004, (0.02, 0, 0.078), "leaf")],
    ),
    small("apple", 2, ("red", "green"), OBJECTS["Apple"].build),
    small(
        "lemon",
        2,
        ("yellow",),
        [ball(0.05, 0.034, 0.034), ball(0.012, 0.012, 0.012, (0.05, 0, 0.022))],
    ),
    small(
        "can",
        2,
        ("red", "blue"),
        [
            disc(0.036, 0.10),
            disc(0.037, 0.03, (0, 0, 0.035), "white"),
            disc(0.034, 0.003, (0, 0, 0.10), "silver"),
        ],
    ),
    small(
        "box",
        2,
        ("brown", "red", "blue"),
        [box(0.15, 0.06, 0.19), box(0.11, 0.062, 0.07, (0, 0, 0.06), "yellow")],
    ),
    small(
        "banana",
        2,
        ("yellow",),
        [
            rod(0.018, 0.08, (0, 0, 0.018)),
            *(
                Part(
                    "cylinder",
                    (0.016, 0.016, 0.04),
                    (0.06 * s, 0.018, 0.018),
                    None,
                    rotation=Pose.at(0, 0, 0, s * 0.55).rotation @ rod(1, 1).rotation,
                )
                for s in (-1, 1)
            ),
            ball(0.008, 0.008, 0.008, (0.10, 0.045, 0.012), "brown"),
        ],
    ),
    small(
        "strawberry",
        1,
        ("red",),
        [
            *cone(0.008, 0.026, 0.035),
            ball(0.026, 0.026, 0.012, (0, 0, 0.025)),
            disc(0.014, 0.006, (0, 0, 0.048), "leaf"),
        ],
    ),
    small(
        "lego",
        1,
        ("red", "blue", "yellow"),
        [
            box(0.10, 0.06, 0.04),
            *(
                disc(0.011, 0.012, (x, y, 0.04))
                for x in (-0.035, 0, 0.035)
                for y in (-0.015, 0.015)
            ),
        ],
    ),
    small(
        "rubriks cube",
        2,
        ("black",),
        [
            box(0.07, 0.07, 0.07),
            *(
                box(0.02, 0.02, 0.002, (x, y, 0.07), c)
                for x, y, c in (
                    (-0.022, -0.022, "red"),
                    (0.022, 0.022, "red"),
                    (0, 0, "white"),
                    (-0.022, 0.022, "green"),
                    (0.022, -0.022, "yellow"),
                    (0, 0.022, "blue"),
                    (0, -0.022, "orange"),
                    (0.022, 0, "green"),
                    (-0.022, 0, "yellow"),
                )
            ),
            *(
                box(0.02, 0.002, 0.02, (x, 0.036, z), c)
                for x, z, c in (
                    (-0.022, 0.003, "blue"),
                    (0, 0.003, "red"),
                    (0.022, 0.003, "white"),
                    (-0.022, 0.025, "orange"),
                    (0, 0.025, "green"),
                    (0.022, 0.025, "blue"),
                    (-0.022, 0.047, "yellow"),
                    (0, 0.047, "white"),
                    (0.022, 0.047, "red"),
                )
            ),
        ],
    ),
    small("book", 2, ("blue", "red", "green"), OBJECTS["Book"].build),
    small("bowl", 2, ("teal", "white", "red"), OBJECTS["Bowl"].build),
    small("cup", 2, ("blue", "red", "yellow", "green"), OBJECTS["Cup"].build),
    small("mug", 2, ("red", "white", "blue"), OBJECTS["Mug"].build),
    small(
        "orange",
        2,
        ("orange",),
        [ball(0.042, 0.042, 0.042), disc(0.006, 0.003, (0, 0, 0.083), "leaf")],
    ),
    small("lid", 2, ("glass",), [*cone(0.13, 0.07, 0.03), disc(0.02, 0.03, (0, 0, 0.03), "black")]),
    small("toy airplane", 2, ("yellow", "red"), _plane()),
    small(
        "wrench",
        2,
        ("silver",),
        [
            box(0.20, 0.026, 0.012),
            box(0.05, 0.06, 0.014, (0.11, 0, 0)),
            box(0.03, 0.02, 0.016, (0.125, 0, 0), "black"),
        ],
    ),
)

CATEGORIES: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
"""The 33 categories of EB-Habitat, in the order of its actions (dataset.yaml `all_cats`)."""
