"""Parts: what things are made of, in the thing's own frame (base at z = 0, front towards +y)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from er_bench.worlds.home.solids import RGB, Matrix, Pose, Shape, Vec, turn_x, turn_z

PALETTE: dict[str, RGB] = {
    "red": (0.86, 0.13, 0.13),
    "blue": (0.16, 0.36, 0.86),
    "green": (0.15, 0.60, 0.25),
    "yellow": (0.96, 0.80, 0.15),
    "orange": (0.96, 0.52, 0.10),
    "purple": (0.52, 0.25, 0.70),
    "pink": (0.95, 0.55, 0.68),
    "white": (0.95, 0.95, 0.93),
    "black": (0.12, 0.12, 0.13),
    "grey": (0.55, 0.56, 0.58),
    "brown": (0.48, 0.30, 0.17),
    "silver": (0.76, 0.78, 0.81),
    "cream": (0.93, 0.87, 0.72),
    "wood": (0.70, 0.52, 0.33),
    "teal": (0.15, 0.55, 0.58),
    "glass": (0.74, 0.87, 0.90),
    "leaf": (0.42, 0.75, 0.28),
    "crust": (0.80, 0.58, 0.30),
    "lit": (1.00, 0.88, 0.42),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One solid of a thing. `colour` None takes the thing's own."""

    shape: Shape
    half_m: Vec
    at_m: Vec
    colour: str | None = None
    glow: float = 0.0
    rotation: Matrix = field(default_factory=lambda: np.eye(3))


def box(w: float, d: float, h: float, at: Vec = (0, 0, 0), colour: str | None = None) -> Part:
    """A box of width, depth and height; `at` is the middle of its base."""
    return Part("box", (w / 2, d / 2, h / 2), (at[0], at[1], at[2] + h / 2), colour)


def disc(r: float, h: float, at: Vec = (0, 0, 0), colour: str | None = None) -> Part:
    """An upright cylinder; `at` is the middle of its base."""
    return Part("cylinder", (r, r, h / 2), (at[0], at[1], at[2] + h / 2), colour)


def ball(rx: float, ry: float, rz: float, at: Vec = (0, 0, 0), colour: str | None = None) -> Part:
    """An ellipsoid that rests on `at`."""
    return Part("ball", (rx, ry, rz), (at[0], at[1], at[2] + rz), colour)


def rod(r: float, length: float, at: Vec = (0, 0, 0), colour: str | None = None) -> Part:
    """A lying cylinder along x; `at` is its middle."""
    turned = turn_z(math.pi / 2) @ turn_x(math.pi / 2)
    return Part("cylinder", (r, r, length / 2), at, colour, rotation=turned)


def cone(
    r0: float, r1: float, h: float, at: Vec = (0, 0, 0), colour: str | None = None, glow: float = 0
) -> list[Part]:
    """A cone from radius r0 at the base to r1 at the top, as a stack of discs."""
    n = 14
    step = h / n
    radii = [r0 + (r1 - r0) * (k + 0.5) / n for k in range(n)]
    return [
        Part("cylinder", (r, r, step / 2), (at[0], at[1], at[2] + step * (k + 0.5)), colour, glow)
        for k, r in enumerate(radii)
    ]


def shell(
    w: float, d: float, h: float, at: Vec, colour: str | None, wall: float = 0.02
) -> list[Part]:
    """A box without its front."""
    x, y, z = at
    return [
        box(w, wall, h, (x, y - d / 2 + wall / 2, z), colour),
        box(wall, d, h, (x - w / 2 + wall / 2, y, z), colour),
        box(wall, d, h, (x + w / 2 - wall / 2, y, z), colour),
        box(w, d, wall, (x, y, z), colour),
        box(w, d, wall, (x, y, z + h - wall), colour),
    ]


def door(
    w: float, h: float, front: Vec, is_open: bool, colour: str | None, handle: str = "silver"
) -> list[Part]:
    """A door hinged on its left, with a handle; `front` is the middle of its lower edge."""
    x, y, z = front
    parts = [
        box(w, 0.02, h, (w / 2, 0.01, 0), colour),
        box(0.02, 0.03, min(0.16, h * 0.5), (w - 0.05, 0.035, h * 0.3), handle),
    ]
    hinge = Pose.at(x - w / 2, y, z, math.radians(105) if is_open else 0.0)
    return [moved(part, hinge) for part in parts]


def moved(part: Part, frame: Pose) -> Part:
    """The part in the frame's outer frame."""
    at = frame.point(part.at_m)
    return replace(part, at_m=(at[0], at[1], at[2]), rotation=frame.rotation @ part.rotation)


def shifted(parts: Iterable[Part], by: Vec) -> list[Part]:
    """Parts moved by a vector."""
    frame = Pose(np.asarray(by, float), np.eye(3))
    return [moved(part, frame) for part in parts]


def cup_shape(r: float, h: float, colour: str | None = None) -> list[Part]:
    """An open vessel: a wall with a dark mouth."""
    return [disc(r, h, colour=colour), disc(r * 0.82, 0.004, (0, 0, h), "grey")]
