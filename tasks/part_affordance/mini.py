"""Makes `mini/`: 24 uses of drawn things, each with the mask of the half that it needs.

Run: `python -m er_bench.tasks.part_affordance.mini [FOLDER]`.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from er_bench.core.geometry import Mask
from er_bench.scenes import Thing, draw, mask, random_scene

SEED, ROWS, THINGS = 20250504, 24, 4
HALVES = ("upper", "lower", "left", "right")
USES = (
    "grip the {thing} by its {half} half",
    "the {half} half of the {thing}, to push against",
    "the part of the {thing} that a hand takes hold of, its {half} half",
)


def half_of(part: Mask, thing: Thing, half: str) -> Mask:
    """The half of a thing's pixels, `(H, W)` bool."""
    (x, y), (h, w) = thing.centre_px_xy, part.shape
    ys, xs = np.mgrid[0:h, 0:w]
    side = {"upper": ys < y, "lower": ys > y, "left": xs < x, "right": xs > x}[half]
    return np.asarray(part & side, dtype=bool)


def build(folder: Path) -> None:
    """Write the mini split into a folder."""
    rng = random.Random(SEED)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows, objects = [], {}
    for number in range(ROWS):
        scene = random_scene(rng, THINGS)
        thing, half = rng.choice(scene.things), rng.choice(HALVES)
        image, part = f"images/{number:05d}.png", f"masks/{number:05d}.png"
        draw(scene).save(folder / image)
        pixels = half_of(mask(scene, thing), thing, half)
        Image.fromarray(pixels.astype(np.uint8) * 255).save(folder / part)
        problem = rng.choice(USES).format(thing=thing.label, half=half)
        rows.append({"question_id": number, "problem": problem, "image": image, "mask": part})
        objects[str(number)] = [list(t.centre_px_xy) for t in scene.things]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "train.jsonl").write_text(lines)
    (folder / "objects.json").write_text(json.dumps(objects) + "\n")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "mini")
