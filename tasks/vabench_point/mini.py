"""Makes `mini/`: 24 instructions whose places are free boxes beside drawn things.

Run: `python -m er_bench.tasks.vabench_point.mini [FOLDER]`.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from er_bench.core.geometry import Box
from er_bench.scenes import Scene, Thing, draw, mask, random_scene
from er_bench.tasks.base.tagged_words import THINKING

SEED, ROWS, THINGS = 20250815, 24, 4
GAP_PX, REACH_PX, LEAST_PX = 6, 56, 24
SIDES = ("to the left of", "to the right of", "above", "below")
REQUESTS = ("put the cup {}", "set the tool down {}", "place what you hold {}")


def box_beside(side: str, thing: Thing, scene: Scene) -> Box:
    """The place beside a thing, on the picture, whole pixels."""
    (w, h), (x1, y1, x2, y2) = scene.size_wh, thing.box_px_xyxy
    places = {
        "to the left of": (x1 - REACH_PX, y1, x1 - GAP_PX, y2),
        "to the right of": (x2 + GAP_PX, y1, x2 + REACH_PX, y2),
        "above": (x1, y1 - REACH_PX, x2, y1 - GAP_PX),
        "below": (x1, y2 + GAP_PX, x2, y2 + REACH_PX),
    }
    left, top, right, bottom = (round(n) for n in places[side])
    return max(0, left), max(0, top), min(w, right), min(h, bottom)


def item(rng: random.Random) -> tuple[Scene, str, Box]:
    """A scene, an instruction and a free box of some size."""
    while True:
        scene = random_scene(rng, THINGS)
        side, thing = rng.choice(SIDES), rng.choice(scene.things)
        x1, y1, x2, y2 = box_beside(side, thing, scene)
        free = not any(
            mask(scene, t)[int(y1) : int(y2), int(x1) : int(x2)].any() for t in scene.things
        )
        if free and min(x2 - x1, y2 - y1) >= LEAST_PX:
            return scene, rng.choice(REQUESTS).format(f"{side} the {thing.label}"), (x1, y1, x2, y2)


def build(folder: Path) -> None:
    """Write the mini split into a folder."""
    rng = random.Random(SEED)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows, objects = [], {}
    for number in range(ROWS):
        scene, instruction, box = item(rng)
        name, (w, h) = f"images/{number:05d}.png", scene.size_wh
        draw(scene).save(folder / name)
        problem = f"<image> The task instruction is: {instruction}. {THINKING}"
        fractions = [n / size for n, size in zip(box, (w, h, w, h), strict=True)]
        rows.append({"id": number, "problem": problem, "image": name, "normalized_bbox": fractions})
        objects[str(number)] = [list(thing.centre_px_xy) for thing in scene.things]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "test.jsonl").write_text(lines)
    (folder / "objects.json").write_text(json.dumps(objects) + "\n")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "mini")
