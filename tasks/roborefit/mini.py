"""Makes `mini/`: 24 instructions with exact boxes, over drawn scenes.

Run: `python -m er_bench.tasks.roborefit.mini [FOLDER]`.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from er_bench.core.geometry import mask_box
from er_bench.scenes import draw, mask, random_scene

SEED = 20230315
ROWS = 24
REQUESTS = ("hand me the {}", "could you pick up the {}", "I want the {}", "would you fetch the {}")


def build(folder: Path) -> None:
    """Write the mini split into a folder."""
    rng = random.Random(SEED)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows, objects = [], {}
    for number in range(ROWS):
        scene = random_scene(rng, 5)
        thing, name = rng.choice(scene.things), f"image_{number}.png"
        draw(scene).save(folder / "images" / name)
        problem = rng.choice(REQUESTS).format(thing.label)
        instruction = (
            f"Your task instruction: {problem}. Use 2D points to mark the target object. The "
            "results are presented in a format <point>[[x1,y1], [x2,y2], ...]</point>."
        )
        rows.append(
            {
                "id": number,
                "problem": problem,
                "image": name,
                "instruction": instruction,
                "instruction_2": instruction,
                "bbox": list(mask_box(mask(scene, thing))),
            }
        )
        objects[str(number)] = [list(mask_box(mask(scene, t))) for t in scene.things]
    (folder / "rows.json").write_text(json.dumps(rows, indent=1) + "\n")
    (folder / "objects.json").write_text(json.dumps(objects) + "\n")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "mini")
