"""Marks drawn over a scene: labelled dots, arrows and tags."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from er_bench.core.geometry import Point
from er_bench.scenes.shapes import RGB

INK: RGB = (17, 17, 17)
PAPER: RGB = (255, 255, 255)


def tag(image: Image.Image, centre_px_xy: Point, text: str, radius_px: float = 9) -> None:
    """A white disc with a short text at a point."""
    (x, y), r = centre_px_xy, radius_px
    pen = ImageDraw.Draw(image)
    pen.ellipse((x - r, y - r, x + r, y + r), fill=PAPER, outline=INK)
    pen.text((x, y), text, fill=INK, font=ImageFont.load_default(r * 1.45), anchor="mm")


def caption(image: Image.Image, left_top_px_xy: Point, text: str, size_px: float = 13) -> None:
    """A line of text whose top left corner is given."""
    font = ImageFont.load_default(size_px)
    ImageDraw.Draw(image).text(left_top_px_xy, text, fill=INK, font=font)


def path(image: Image.Image, points_px_xy: Sequence[Point], colour: RGB, width_px: int = 4) -> None:
    """A line through points with an arrowhead at its end."""
    pen = ImageDraw.Draw(image)
    pen.line([*points_px_xy], fill=colour, width=width_px, joint="curve")
    (x0, y0), (x1, y1) = points_px_xy[-2], points_px_xy[-1]
    turn = math.atan2(y1 - y0, x1 - x0)
    barbs = [
        (x1 - 13 * math.cos(turn + side), y1 - 13 * math.sin(turn + side)) for side in (-0.45, 0.45)
    ]
    pen.polygon([(x1, y1), *barbs], fill=colour)


def gripper(image: Image.Image, tip_px_xy: Point, opening_px: float = 18) -> None:
    """A two-finger gripper seen from the side, fingers down, its grasp point at `tip_px_xy`."""
    (x, y), half = tip_px_xy, opening_px / 2
    pen = ImageDraw.Draw(image)
    steel: RGB = (71, 85, 105)
    pen.rectangle((x - 5, y - 44, x + 5, y - 26), fill=steel)
    pen.rectangle((x - half - 6, y - 27, x + half + 6, y - 19), fill=steel)
    for side in (x - half - 6, x + half):
        pen.rectangle((side, y - 20, side + 6, y + 2), fill=steel)
