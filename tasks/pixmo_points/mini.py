"""Makes `mini/`: 30 expressions in the format of Vlaser's file, over drawn scenes.

Run: `python -m er_bench.tasks.pixmo_points.mini [FOLDER]`.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from er_bench.scenes import draw
from er_bench.tasks.paco_lavis.mini import conversation, grid, scene_with

SEED = 20240925
ROWS = 30


def build(folder: Path) -> None:
    """Write the mini split into a folder."""
    rng = random.Random(SEED)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines, objects = [], {}
    for number in range(ROWS):
        scene, expression, meant = scene_with(rng)
        name = f"scene_{number:02d}.jpg"
        draw(scene).save(folder / "images" / name, quality=85)
        row = {
            "image": name,
            "width": scene.size_wh[0],
            "height": scene.size_wh[1],
            "conversations": conversation(expression, [grid(t, scene) for t in meant]),
        }
        lines.append(json.dumps(row))
        objects[f"{number}-0"] = [[int(c) + 0.5 for c in t.centre_px_xy] for t in scene.things]
    (folder / "data_0.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "objects.json").write_text(json.dumps(objects, indent=1) + "\n")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "mini")
