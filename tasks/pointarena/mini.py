"""Makes `mini/`: 30 rows in the released layout, six of each category, from drawn scenes.

Run: `python -m er_bench.tasks.pointarena.mini [FOLDER]`.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from er_bench.core.geometry import Point
from er_bench.scenes import COLOURS, SHAPES, Scene, Thing, draw, mask, plural, random_scene

SEED = 20250515
PER_CATEGORY = 6
ANGULAR = ("square", "triangle", "diamond", "cross")


@dataclass(frozen=True, slots=True)
class Item:
    """A scene, what is asked about it and which things are meant."""

    scene: Scene
    question: str
    meant: tuple[Thing, ...]
    original_px_xy: Point | None = None


def affordable(rng: random.Random) -> Item:
    """The one round thing can be rolled."""
    colours = rng.sample(sorted(COLOURS), 4)
    shapes = ["circle", *rng.choices(ANGULAR, k=3)]
    scene = random_scene(rng, 4, labels=list(zip(colours, shapes, strict=True)))
    return Item(scene, "Point to the object that could be rolled like a ball.", (scene.things[0],))


def spatial(rng: random.Random) -> Item:
    """The outermost thing on one side."""
    scene = random_scene(rng, 4)
    side, axis, pick = rng.choice(
        [("furthest left", 0, min), ("furthest right", 0, max), ("lowest", 1, max)]
    )
    thing = pick(scene.things, key=lambda t: t.centre_px_xy[axis])
    return Item(scene, f"Point to the object that is {side} in the image.", (thing,))


def reasoning(rng: random.Random) -> Item:
    """The odd one out."""
    common, odd = rng.sample(sorted(COLOURS), 2)
    shapes = rng.sample(SHAPES, 5)
    colours = [odd] + [common] * 4
    scene = random_scene(rng, 5, labels=list(zip(colours, shapes, strict=True)))
    question = "Point to the object whose color does not match the others."
    return Item(scene, question, (scene.things[0],))


def steerable(rng: random.Random) -> Item:
    """The neighbour of an existing point that only `pixmo_metadata.csv` tells."""
    scene = random_scene(rng, 4)
    start = rng.choice(scene.things)
    others = [t for t in scene.things if t is not start]
    nearest = min(others, key=lambda t: np.hypot(*np.subtract(t.centre_px_xy, start.centre_px_xy)))
    question = "Point to the object nearest to the one that is already pointed at."
    return Item(scene, question, (nearest,), start.centre_px_xy)


def counting(rng: random.Random) -> Item:
    """Every thing of one shape."""
    shape, *rest = rng.sample(SHAPES, 3)
    n = rng.randint(2, 4)
    colours = rng.sample(sorted(COLOURS), 6)
    shapes = [shape] * n + rng.choices(rest, k=6 - n)
    scene = random_scene(rng, 6, radius_px=(14, 24), labels=list(zip(colours, shapes, strict=True)))
    return Item(scene, f"Point to all the {plural(shape)}.", scene.things[:n])


MAKERS: tuple[Callable[[random.Random], Item], ...] = (
    affordable,
    spatial,
    reasoning,
    steerable,
    counting,
)


def write(folder: Path, seed: int = SEED) -> None:
    """Write the mini split into a folder."""
    rng = random.Random(seed)
    images, masks = folder / "selected_images", folder / "selected_masks"
    images.mkdir(parents=True, exist_ok=True)
    masks.mkdir(exist_ok=True)
    rows, originals, objects = [], [], {}
    for number in range(PER_CATEGORY * len(MAKERS)):
        make = MAKERS[number % len(MAKERS)]
        item, stem = make(rng), f"scene_{number:02d}"
        draw(item.scene).save(images / f"{stem}.jpg", quality=85)
        union = np.any([mask(item.scene, thing) for thing in item.meant], axis=0)
        Image.fromarray(union.astype(np.uint8) * 255).save(masks / f"{stem}_mask.png")
        row: dict[str, object] = {
            "image_filename": f"{stem}.jpg",
            "user_input": item.question,
            "category": make.__name__,
        }
        if make is counting:
            row["count"] = len(item.meant)
        row |= {"mask_filename": f"{stem}_mask.png", "timestamp": f"2025-01-01T00:00:{number:02d}"}
        rows.append(row)
        objects[f"{stem}.jpg"] = [[int(c) + 0.5 for c in t.centre_px_xy] for t in item.scene.things]
        if item.original_px_xy is not None:
            originals.append((f"{stem}.jpg", _percent(item.original_px_xy, item.scene)))
    (folder / "data.json").write_text(json.dumps(rows, indent=2) + "\n")
    (folder / "objects.json").write_text(json.dumps(objects, indent=1) + "\n")
    with (folder / "pixmo_metadata.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["image_filename", "points"])
        table.writerows((name, json.dumps([point])) for name, point in originals)


def _percent(point_px_xy: Point, scene: Scene) -> dict[str, float]:
    (x, y), (w, h) = point_px_xy, scene.size_wh
    return {"x": round(x / w * 100, 1), "y": round(y / h * 100, 1)}


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "mini")
