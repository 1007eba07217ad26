"""Makes `mini/`: 24 drawn things to take hold of, in ShareRobot's layout, with exact boxes.

Run: `python -m er_bench.tasks.affordance.mini [FOLDER] [--rows N] [--seed S] [--things N]`. Other
seeds give rows to teach with.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from er_bench.core.geometry import mask_box
from er_bench.scenes import draw, mask, random_scene

SEED, ROWS, THINGS = 20251002, 24, 4
REQUESTS = ("pick up the {}", "hand me the {}", "put the {} away", "lift the {}")


def build(folder: Path, rows: int = ROWS, seed: int = SEED, things: int = THINGS) -> None:
    """Write rows, pictures and the places of all things into a folder."""
    rng = random.Random(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    made, objects = [], {}
    for number in range(rows):
        scene = random_scene(rng, things)
        thing, name = rng.choice(scene.things), f"image_{number:05d}.png"
        draw(scene).save(folder / "images" / name)
        x1, y1, x2, y2 = mask_box(mask(scene, thing))
        w, h = scene.size_wh
        made.append(
            {
                "id": number,
                "image": name,
                "meta_data": {
                    "original_dataset": "drawn",
                    "original_width": w,
                    "original_height": h,
                },
                "instruction": rng.choice(REQUESTS).format(thing.label),
                "affordance": {"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1},
            }
        )
        objects[str(number)] = [list(mask_box(mask(scene, t))) for t in scene.things]
    (folder / "affordance.json").write_text(json.dumps(made, indent=1) + "\n")
    (folder / "objects.json").write_text(json.dumps(objects) + "\n")


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).parent / "mini"
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--things", type=int, default=THINGS)
    wanted = parser.parse_args()
    build(wanted.folder, wanted.rows, wanted.seed, wanted.things)


if __name__ == "__main__":
    main()
