"""Makes `mini/`: 24 drawn ways from a gripper to a thing, in ShareRobot's layout.

A way goes up or down from the gripper's height in an even curve that ends on the thing.

Run: `python -m er_bench.tasks.trajectory.mini [FOLDER] [--rows N] [--seed S] [--things N]`. Other
seeds give rows to teach with.
"""

from __future__ import annotations

import random
from pathlib import Path

from er_bench.core.geometry import Point
from er_bench.scenes import Scene, Thing, draw, random_scene
from er_bench.scenes.marks import gripper
from er_bench.tasks.base.share_robot_mini import Drawn, main, write_rows

SEED, ROWS, THINGS, POINTS = 20251003, 24, 4, 8
REQUESTS = ("reach for the {}", "move to the {}", "go and touch the {}", "approach the {}")
TOP_PX = 48
"""The gripper's own height: its tip is never higher."""


def way(start: Point, goal: Point) -> list[list[float]]:
    """A quadratic curve that leaves sideways and comes down on the goal, pixels."""
    (x0, y0), (x1, y1) = start, goal
    found = []
    for k in range(POINTS):
        t = k / (POINTS - 1)
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


def drawn(rng: random.Random, things: int) -> Drawn:
    """A scene with a gripper, and the way to one of its things."""
    scene = random_scene(rng, things)
    thing = rng.choice(scene.things)
    start, picture = free_start(scene, rng), draw(scene)
    gripper(picture, start)
    instruction = rng.choice(REQUESTS).format(thing.label)
    middles = [[round(c, 3) for c in t.centre_px_xy] for t in scene.things]
    return picture, instruction, {"points": way(start, thing.centre_px_xy)}, middles


def build(folder: Path, rows: int = ROWS, seed: int = SEED, things: int = THINGS) -> None:
    """Write rows, pictures and the middles of all things into a folder."""
    write_rows(folder, "trajectory", drawn, rows, seed, things)


if __name__ == "__main__":
    main(build, __doc__, Path(__file__).parent / "mini", ROWS, SEED, THINGS)
