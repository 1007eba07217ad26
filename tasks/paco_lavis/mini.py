"""Makes `mini/`: 30 expressions in the format of Vlaser's file, over drawn scenes.

Run: `python -m er_bench.tasks.paco_lavis.mini [FOLDER]`.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from er_bench.scenes import COLOURS, SHAPES, Scene, Thing, draw, mask, plural, random_scene
from er_bench.tasks.base.expression_points import conversation
from er_bench.tasks.paco_lavis.segmentation import rectangles

SEED = 20170917
ROWS = 30


def scene_with(rng: random.Random) -> tuple[Scene, str, list[Thing]]:
    """A scene and an expression that names one thing, or all of a shape."""
    if rng.random() < 0.5:
        scene = random_scene(rng, 5)
        thing = rng.choice(scene.things)
        return scene, f"the {thing.label}", [thing]
    shape, *rest = rng.sample(SHAPES, 3)
    n = rng.randint(2, 3)
    colours = rng.sample(sorted(COLOURS), 5)
    labels = list(zip(colours, [shape] * n + rng.choices(rest, k=5 - n), strict=True))
    scene = random_scene(rng, 5, labels=labels)
    return scene, plural(shape), list(scene.things[:n])


def grid(thing: Thing, scene: Scene) -> tuple[int, int]:
    """A thing's centre per 1000."""
    (x, y), (w, h) = thing.centre_px_xy, scene.size_wh
    return round(x / w * 1000), round(y / h * 1000)


def write_rows(
    folder: Path, file: str, seed: int, truth: Callable[[Scene, list[Thing]], dict[str, Any]]
) -> None:
    """Write pictures, rows and `objects.json`; `truth` gives the fields that judge a row."""
    rng = random.Random(seed)
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
            **truth(scene, meant),
            "conversations": conversation(expression, [grid(t, scene) for t in meant]),
        }
        lines.append(json.dumps(row))
        objects[f"{number}-0"] = [[int(c) + 0.5 for c in t.centre_px_xy] for t in scene.things]
    (folder / file).write_text("\n".join(lines) + "\n")
    (folder / "objects.json").write_text(json.dumps(objects, indent=1) + "\n")


def segmentation(scene: Scene, meant: list[Thing]) -> dict[str, Any]:
    """The instances as rectangles that cover their pixels."""
    return {"segmentation": [rectangles(mask(scene, thing)) for thing in meant]}


def write(folder: Path, seed: int = SEED) -> None:
    """Write the mini split into a folder."""
    write_rows(folder, "paco_lvis_v1_pointing_test_single_conv.jsonl", seed, segmentation)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "mini")
