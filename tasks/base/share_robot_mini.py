"""Drawn rows in ShareRobot's layout, for the mini splits and for teaching."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from PIL import Image

from er_bench.core.geometry import Size

Fields = dict[str, object]
Drawn = tuple[Image.Image, str, Fields, Sequence[Sequence[float]]]
"""A picture, the instruction, the row's truth, and the place of each thing, pixels."""
Draw = Callable[[random.Random, int], Drawn]
"""Draws one row with so many things."""


class Build(Protocol):
    """A mini split's `build`."""

    def __call__(self, folder: Path, rows: int, seed: int, things: int) -> None:
        """Write rows, pictures and the places of all things into a folder."""


def write_rows(folder: Path, name: str, draw: Draw, rows: int, seed: int, things: int) -> None:
    """Write `<name>.json`, its pictures and `objects.json`."""
    rng = random.Random(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    made, objects = [], {}
    for number in range(rows):
        picture, instruction, truth, places = draw(rng, things)
        file = f"image_{number:05d}.png"
        picture.save(folder / "images" / file)
        made.append(_row(number, file, picture.size) | {"instruction": instruction} | truth)
        objects[str(number)] = places
    (folder / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
    (folder / "objects.json").write_text(json.dumps(objects) + "\n")


def _row(number: int, file: str, size_wh: Size) -> Fields:
    w, h = size_wh
    about = {"original_dataset": "drawn", "original_width": w, "original_height": h}
    return {"id": number, "image": file, "meta_data": about}


def main(build: Build, told: str | None, default: Path, rows: int, seed: int, things: int) -> None:
    """The command line of a mini split."""
    parser = argparse.ArgumentParser(description=told)
    parser.add_argument("folder", type=Path, nargs="?", default=default)
    for name, value in (("rows", rows), ("seed", seed), ("things", things)):
        parser.add_argument(f"--{name}", type=int, default=value)
    wanted = parser.parse_args()
    build(wanted.folder, wanted.rows, wanted.seed, wanted.things)
