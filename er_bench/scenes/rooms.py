"""Rooms seen from above: a floor with a metre grid, walls, and things on it, in exact metres."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw

from er_bench.core.geometry import Size
from er_bench.scenes.marks import INK, PAPER, caption
from er_bench.scenes.shapes import RGB, Scene, Thing, draw, random_scene

PX_PER_M = 40
MARGIN_PX = 20
FLOOR: RGB = (222, 214, 200)
GRID: RGB = (198, 188, 172)


@dataclass(frozen=True, slots=True)
class Room:
    """A rectangular room; `scene` holds its things in pixels of the floor, walls left out."""

    scene: Scene

    @property
    def area_m2(self) -> float:
        """Width times depth."""
        w, h = self.scene.size_wh
        return w * h / PX_PER_M**2

    def things(self) -> dict[str, Thing]:
        """Things by label; of things that look alike, the last."""
        return {thing.label: thing for thing in self.scene.things}


def random_room(
    rng: random.Random, width_m: int, depth_m: int, labels: list[tuple[str, str]]
) -> Room:
    """A room with things of these colours and shapes that keep apart."""
    size_wh = (width_m * PX_PER_M, depth_m * PX_PER_M)
    scene = random_scene(rng, len(labels), size_wh, radius_px=(10, 24), labels=labels)
    return Room(Scene(size_wh, FLOOR, scene.things))


def distance_m(a: Thing, b: Thing) -> float:
    """Distance between the centres of two things."""
    return math.dist(a.centre_px_xy, b.centre_px_xy) / PX_PER_M


def bearing_deg(at: Thing, facing: Thing, target: Thing) -> float:
    """Where a target stands for somebody at one thing who faces another.

    0 is ahead, 90 to the right, -90 to the left, 180 behind.
    """
    (x, y), (fx, fy), (tx, ty) = at.centre_px_xy, facing.centre_px_xy, target.centre_px_xy
    turn = math.degrees(math.atan2(ty - y, tx - x) - math.atan2(fy - y, fx - x))
    return (turn + 180) % 360 - 180


def draw_room(room: Room) -> Image.Image:
    """The whole room with its walls, from above; one grid square is a square metre."""
    w, h = room.scene.size_wh
    floor = draw(room.scene)
    grid = Image.new("RGB", (w, h), FLOOR)
    pen = ImageDraw.Draw(grid)
    for x in range(0, w, PX_PER_M):
        pen.line((x, 0, x, h), fill=GRID)
    for y in range(0, h, PX_PER_M):
        pen.line((0, y, w, y), fill=GRID)
    bare = Image.new("RGB", (w, h), FLOOR)
    changed = _difference(floor, bare)
    grid.paste(floor, mask=changed)
    whole = Image.new("RGB", (w + 2 * MARGIN_PX, h + 2 * MARGIN_PX), (120, 113, 108))
    whole.paste(grid, (MARGIN_PX, MARGIN_PX))
    return whole


def _difference(a: Image.Image, b: Image.Image) -> Image.Image:
    from PIL import ImageChops

    return ImageChops.difference(a, b).convert("L").point(lambda v: 255 if v else 0)


def pan(room: Room, n_frames: int, view_wh: Size = (320, 240)) -> Iterator[Image.Image]:
    """A camera that slides over the room from left to right, a scale bar in its view."""
    whole = draw_room(room)
    w, h = view_wh
    for k in range(n_frames):
        left = round((whole.width - w) * k / (n_frames - 1))
        frame = Image.new("RGB", view_wh, (120, 113, 108))
        frame.paste(whole.crop((left, 0, left + w, min(h, whole.height))), (0, 0))
        pen = ImageDraw.Draw(frame)
        pen.rectangle((6, h - 17, 96, h - 3), fill=PAPER)
        pen.line((12, h - 10, 12 + PX_PER_M, h - 10), fill=INK, width=3)
        caption(frame, (60, h - 18), "1 m", 12)
        yield frame
