"""Makes `mini/`: 24 drawn ways from a gripper to a thing, in ShareRobot's layout.

A way goes up or down from the gripper's height in an even curve that ends on the thing.

Run: `python -m er_bench.tasks.trajectory.mini [FOLDER] [--rows N] [--seed S] [--things N]`. Other
seeds give rows to teach with.
"""

from __future__ import annotations

import random
from pathlib import Path

from er_bench.scenes import draw, random_scene
from er_bench.scenes.marks import gripper
from er_bench.scenes.ways import free_start, way
from er_bench.tasks.base.share_robot_mini import Drawn, main, write_rows

SEED, ROWS, THINGS = 20251003, 24, 4
REQUESTS = ("reach for the {}", "move to the {}", "go and touch the {}", "approach the {}")


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
