"""Makes `mini/`: 24 drawn things to take hold of, in ShareRobot's layout, with exact boxes.

Run: `python -m er_bench.tasks.affordance.mini [FOLDER] [--rows N] [--seed S] [--things N]`. Other
seeds give rows to teach with.
"""

from __future__ import annotations

import random
from pathlib import Path

from er_bench.core.geometry import mask_box
from er_bench.scenes import draw, mask, random_scene
from er_bench.tasks.base.share_robot_mini import Drawn, main, write_rows

SEED, ROWS, THINGS = 20251002, 24, 4
REQUESTS = ("pick up the {}", "hand me the {}", "put the {} away", "lift the {}")


def drawn(rng: random.Random, things: int) -> Drawn:
    """A scene and the box of one of its things."""
    scene = random_scene(rng, things)
    thing = rng.choice(scene.things)
    x1, y1, x2, y2 = mask_box(mask(scene, thing))
    region = {"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1}
    instruction = rng.choice(REQUESTS).format(thing.label)
    boxes = [list(mask_box(mask(scene, t))) for t in scene.things]
    return draw(scene), instruction, {"affordance": region}, boxes


def build(folder: Path, rows: int = ROWS, seed: int = SEED, things: int = THINGS) -> None:
    """Write rows, pictures and the boxes of all things into a folder."""
    write_rows(folder, "affordance", drawn, rows, seed, things)


if __name__ == "__main__":
    main(build, __doc__, Path(__file__).parent / "mini", ROWS, SEED, THINGS)
