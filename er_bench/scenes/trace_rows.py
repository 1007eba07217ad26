"""Drawn rows of the hub's trace sets: a gripper and its way to a thing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from er_bench.core.geometry import Point
from er_bench.scenes.marks import gripper
from er_bench.scenes.shapes import draw, random_scene
from er_bench.scenes.ways import free_start, way

ROWS, THINGS = 24, 4
MOST_POINTS, FEWEST_POINTS = 9, 5


def write_rows(
    folder: Path, seed: int, words: Sequence[str], answer: Callable[[list[list[float]]], object]
) -> None:
    """Write `train.jsonl`, its pictures and `objects.json`; `words` have a place for the thing."""
    rng = random.Random(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows, objects = [], {}
    for number in range(ROWS):
        scene = random_scene(rng, THINGS)
        thing, start = rng.choice(scene.things), free_start(scene, rng)
        picture, name = draw(scene), f"images/{number:05d}.png"
        gripper(picture, start)
        picture.save(folder / name)
        goal: Point = thing.centre_px_xy
        trace = way(start, goal, rng.randint(FEWEST_POINTS, MOST_POINTS))
        problem = rng.choice(words).format(thing.label)
        rows.append({"id": number, "problem": problem, "image": name, "answer": answer(trace)})
        objects[str(number)] = [list(t.centre_px_xy) for t in scene.things]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "objects.json").write_text(json.dumps(objects) + "\n")
