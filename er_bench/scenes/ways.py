"""Ways of a gripper to a thing, as traces of points."""

from __future__ import annotations

import random

from er_bench.core.geometry import Point
from er_bench.scenes.shapes import Scene, Thing

POINTS = 8
TOP_PX = 48
"""The gripper's own height: its tip is never higher."""


def way(start: Point, goal: Point, n: int = POINTS) -> list[list[float]]:
    """A quadratic curve that leaves sideways and comes down on the goal, pixels."""
    (x0, y0), (x1, y1) = start, goal
    found = []
    for k in range(n):
        t = k / (n - 1)
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
        found.append([round(a * x0 + b * x1 + c * x1, 3), round(a * y0 + b * y0 + c * y1, 3)])
    return found


def free_start(scene: Scene, rng: random.Random) -> Point:
    """A place for the gripper's tip that is on no thing."""
    w, h = scene.size_wh
    while True:
        x, y = rng.uniform(24, w - 24), rng.uniform(TOP_PX, h - 24)
        if all(not _near((x, y), thing) for thing in scene.things):
            return x, y


def _near(point: Point, thing: Thing) -> bool:
    away = max(abs(a - b) for a, b in zip(point, thing.centre_px_xy, strict=True))
    return away < thing.radius_px + 16
