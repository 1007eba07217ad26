"""How furniture and appliances are built from parts, in every state."""

from __future__ import annotations

from collections.abc import Callable

from er_bench.worlds.home.object_kinds import Look
from er_bench.worlds.home.parts import Part, box, cone, disc, door, moved, shell, shifted
from er_bench.worlds.home.solids import Pose

DRAWER_SLIDE_M = 0.36


def table(w: float, d: float, h: float) -> list[Part]:
    """A top on four legs."""
    legs = [
        box(0.05, 0.05, h - 0.04, (sx * (w / 2 - 0.05), sy * (d / 2 - 0.05), 0))
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return [box(w, d, 0.04, (0, 0, h - 0.04)), *legs]


def block(w: float, d: float, h: float, top: str) -> list[Part]:
    """A chest with a top of another colour."""
    return [box(w, d, h - 0.04), box(w + 0.02, d + 0.02, 0.04, (0, 0, h - 0.04), top)]


def seat(w: float, d: float) -> list[Part]:
    """A sofa or an armchair, by its width."""
    cushions = box(w - 0.3, d - 0.25, 0.06, (0, 0.1, 0.38), "grey")
    arms = [box(0.15, d, 0.58, (s * (w / 2 - 0.075), 0, 0)) for s in (-1, 1)]
    return [box(w, d, 0.38), box(w, 0.18, 0.85, (0, -d / 2 + 0.09, 0)), cushions, *arms]


def cabinet(look: Look) -> list[Part]:
    """A wall cupboard with a shelf and a door."""
    w, d, h = 0.6, 0.35, 0.62
    shelf = box(w - 0.04, d - 0.04, 0.015, (0, 0, 0.3), "cream")
    return [
        *shell(w, d, h, (0, 0, 0), "cream"),
        shelf,
        *door(w, h, (0, d / 2, 0), look.is_open, None),
    ]


def drawer(look: Look) -> list[Part]:
    """A drawer that slides out."""
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


def fridge(look: Look) -> list[Part]:
    """A refrigerator with three shelves and one door."""
    w, d, h = 0.75, 0.65, 1.75
    shelves = [box(w - 0.06, d - 0.06, 0.015, (0, 0, z), "glass") for z in (0.55, 0.95, 1.32)]
    return [
        *shell(w, d, h, (0, 0, 0), None, 0.03),
        *shelves,
        *door(w, h, (0, d / 2, 0), look.is_open, None, "grey"),
    ]


def microwave(look: Look) -> list[Part]:
    """A microwave whose window glows when it is on."""
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


def safe(look: Look) -> list[Part]:
    """A safe with a thick wall."""
    w, d, h = 0.45, 0.42, 0.45
    leaf = door(w, h, (0, d / 2, 0), look.is_open, None, "yellow")
    return [*shell(w, d, h, (0, 0, 0), None, 0.04), *leaf]


def basin(w: float) -> list[Part]:
    """A sink unit with a basin."""
    d, h = 0.6, 0.9
    rim = [
        box(w, 0.12, 0.2, (0, -d / 2 + 0.06, 0.7), "silver"),
        box(w, 0.06, 0.2, (0, d / 2 - 0.03, 0.7), "silver"),
        box(0.12, d, 0.2, (-w / 2 + 0.06, 0, 0.7), "silver"),
        box(0.12, d, 0.2, (w / 2 - 0.06, 0, 0.7), "silver"),
    ]
    return [box(w, d, h - 0.2), box(w - 0.2, d - 0.16, 0.01, (0, 0.02, 0.7), "grey"), *rim]


def faucet(look: Look) -> list[Part]:
    """A tap, with water when it is on."""
    parts = [
        disc(0.018, 0.24),
        box(0.03, 0.17, 0.03, (0, 0.07, 0.22)),
        box(0.1, 0.02, 0.02, (0, 0, 0.1)),
    ]
    if look.is_on:
        parts.append(Part("cylinder", (0.014, 0.014, 0.2), (0, 0.14, 0.02), "blue", 0.9))
    return parts


def lamp(stem_m: float, shade_m: float) -> Callable[[Look], list[Part]]:
    """A lamp whose shade glows when it is on."""

    def build(look: Look) -> list[Part]:
        foot = [
            disc(shade_m * 0.7, 0.02, colour="black"),
            disc(0.012, stem_m, (0, 0, 0.02), "black"),
        ]
        colour, glow = ("lit", 1.0) if look.is_on else (None, 0.0)
        shade = cone(shade_m, shade_m * 0.45, shade_m * 1.3, (0, 0, stem_m * 0.85), colour, glow)
        return [*foot, *shade]

    return build


def burner(look: Look) -> list[Part]:
    """One burner."""
    return [
        disc(0.11, 0.012),
        disc(0.07, 0.014, (0, 0, 0), "grey"),
        disc(0.03, 0.016, (0, 0, 0), "black"),
    ]


def stove(look: Look) -> list[Part]:
    """A cooker without its burners."""
    knobs = [
        Part("box", (0.015, 0.012, 0.015), (x, 0.31, 0.82), "black")
        for x in (-0.22, -0.08, 0.08, 0.22)
    ]
    window = Part("box", (0.22, 0.004, 0.14), (0, 0.302, 0.45), "black")
    return [box(0.7, 0.6, 0.9), window, *knobs, box(0.5, 0.03, 0.02, (0, 0.32, 0.65), "silver")]


def coffee_machine(look: Look) -> list[Part]:
    """A coffee machine with room for a mug."""
    return [
        box(0.22, 0.26, 0.02),
        box(0.22, 0.10, 0.32, (0, -0.08, 0)),
        box(0.22, 0.24, 0.08, (0, 0, 0.26)),
        disc(0.015, 0.03, (0, 0.05, 0.23), "silver"),
        Part("box", (0.02, 0.004, 0.01), (0.05, 0.121, 0.30), "red", 0.6),
    ]


def toilet(look: Look) -> list[Part]:
    """A toilet with a tank."""
    seat = Part("cylinder", (0.19, 0.24, 0.03), (0, 0.12, 0.42), "cream")
    return [box(0.30, 0.5, 0.38, (0, 0.05, 0)), seat, box(0.45, 0.2, 0.85, (0, -0.25, 0))]


def tub(look: Look) -> list[Part]:
    """A bathtub."""
    w, d, h = 1.5, 0.75, 0.5
    return [
        box(w, d, 0.1),
        box(w, 0.07, h, (0, d / 2 - 0.035, 0)),
        box(w, 0.07, h, (0, -d / 2 + 0.035, 0)),
        box(0.07, d, h, (w / 2 - 0.035, 0, 0)),
        box(0.07, d, h, (-w / 2 + 0.035, 0, 0)),
        disc(0.03, 0.004, (0.5, 0, 0.1), "grey"),
    ]


def bed(look: Look) -> list[Part]:
    """A bed with a headboard."""
    head = box(1.4, 0.08, 0.95, (0, -0.96, 0), "brown")
    return [
        box(1.4, 2.0, 0.3, colour="brown"),
        box(1.36, 1.9, 0.2, (0, 0.03, 0.3)),
        box(1.38, 1.0, 0.03, (0, 0.45, 0.5), "cream"),
        head,
    ]


def bin(look: Look) -> list[Part]:
    """An open bin."""
    w, h = 0.32, 0.42
    return [
        *(moved(box(w, 0.02, h, (0, w / 2, 0)), Pose.at(0, 0, 0, k * 1.5707963)) for k in range(4)),
        box(w, w, 0.2, colour="black"),
    ]


def tv_stand(look: Look) -> list[Part]:
    """A low chest with a screen on it."""
    screen = Part("box", (0.42, 0.015, 0.25), (0, -0.14, 0.95), "black")
    return [*block(1.5, 0.45, 0.6, "wood"), screen, box(0.25, 0.1, 0.1, (0, -0.14, 0.6), "black")]


def chair(look: Look) -> list[Part]:
    """A chair."""
    return [*table(0.5, 0.5, 0.46), box(0.5, 0.05, 0.5, (0, -0.225, 0.46))]
