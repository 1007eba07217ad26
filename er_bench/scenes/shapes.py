"""Flat scenes of coloured shapes, drawn with PIL, with exact masks and boxes."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from er_bench.core.geometry import Box, Mask, Point, Size

RGB = tuple[int, int, int]

COLOURS: dict[str, RGB] = {
    "red": (214, 40, 40),
    "green": (46, 160, 67),
    "blue": (36, 99, 235),
    "yellow": (250, 204, 21),
    "purple": (147, 51, 234),
    "orange": (249, 115, 22),
    "black": (24, 24, 27),
    "white": (250, 250, 250),
}
SHAPES = ("circle", "square", "triangle", "diamond", "star", "cross")
BACKGROUNDS: tuple[RGB, ...] = ((201, 192, 178), (176, 190, 197), (188, 170, 164), (165, 178, 160))


def plural(noun: str) -> str:
    """More than one: `circles`, `crosses`."""
    return noun + ("es" if noun.endswith("s") else "s")


@dataclass(frozen=True, slots=True)
class Thing:
    """One coloured shape; it fills most of the square of side `2 * radius_px` at its centre."""

    colour: str
    shape: str
    centre_px_xy: Point
    radius_px: float

    @property
    def label(self) -> str:
        """The words that name it: `red star`."""
        return f"{self.colour} {self.shape}"

    @property
    def box_px_xyxy(self) -> Box:
        """The square it is drawn in, pixels."""
        (x, y), r = self.centre_px_xy, self.radius_px
        return x - r, y - r, x + r, y + r


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture's content: things do not overlap, and labels are unique."""

    size_wh: Size
    background: RGB
    things: tuple[Thing, ...]


def random_scene(
    rng: random.Random,
    n_things: int,
    size_wh: Size = (320, 240),
    radius_px: tuple[float, float] = (14, 30),
    labels: list[tuple[str, str]] | None = None,
) -> Scene:
    """A scene of `n_things` things that keep apart. `labels` fixes (colour, shape) of each.

    Raises:
        ValueError: they do not fit.
    """
    if labels is None:
        labels = rng.sample([(c, s) for c in COLOURS for s in SHAPES], n_things)
    w, h = size_wh
    things: list[Thing] = []
    for colour, shape in labels:
        for _ in range(2000):
            r = rng.uniform(*radius_px)
            x, y = rng.uniform(r + 2, w - r - 2), rng.uniform(r + 2, h - r - 2)
            if all(
                max(abs(x - t.centre_px_xy[0]), abs(y - t.centre_px_xy[1])) > r + t.radius_px + 3
                for t in things
            ):
                things.append(Thing(colour, shape, (x, y), r))
                break
        else:
            raise ValueError(f"{n_things} things of radius {radius_px} do not fit in {size_wh}")
    return Scene(size_wh, rng.choice(BACKGROUNDS), tuple(things))


def draw(scene: Scene) -> Image.Image:
    """The picture, RGB."""
    image = Image.new("RGB", scene.size_wh, scene.background)
    pen = ImageDraw.Draw(image)
    for thing in scene.things:
        _draw_shape(pen, thing, COLOURS[thing.colour])
    return image


def mask(scene: Scene, thing: Thing) -> Mask:
    """The thing's pixels, `(H, W)` bool."""
    image = Image.new("1", scene.size_wh)
    _draw_shape(ImageDraw.Draw(image), thing, 1)
    return np.asarray(image, dtype=bool)


def _draw_shape(pen: ImageDraw.ImageDraw, thing: Thing, fill: RGB | int) -> None:
    (x, y), r = thing.centre_px_xy, thing.radius_px
    match thing.shape:
        case "circle":
            pen.ellipse(thing.box_px_xyxy, fill=fill)
        case "square":
            s = r * 0.85
            pen.rectangle((x - s, y - s, x + s, y + s), fill=fill)
        case "triangle":
            pen.polygon([(x, y - r), (x + r, y + r * 0.8), (x - r, y + r * 0.8)], fill=fill)
        case "diamond":
            pen.polygon([(x, y - r), (x + r * 0.75, y), (x, y + r), (x - r * 0.75, y)], fill=fill)
        case "star":
            turn = [math.pi * k / 5 for k in range(10)]
            reach = [r if k % 2 == 0 else r * 0.45 for k in range(10)]
            pen.polygon(
                [
                    (x + d * math.sin(a), y - d * math.cos(a))
                    for a, d in zip(turn, reach, strict=True)
                ],
                fill=fill,
            )
        case "cross":
            arm = r * 0.35
            pen.rectangle((x - r, y - arm, x + r, y + arm), fill=fill)
            pen.rectangle((x - arm, y - r, x + arm, y + r), fill=fill)
        case _:
            raise ValueError(f"unknown shape {thing.shape!r}")
