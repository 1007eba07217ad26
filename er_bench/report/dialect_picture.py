"""A dialect's example drawn: its numbers along the sides of a picture, its point and box in it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from er_bench.core.answer import Boxes, Points
from er_bench.core.dialect import Dialect
from er_bench.core.geometry import Box, Point, Size, Unit, boxes_to_px, from_px, points_to_px
from er_bench.data.files import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_WH: Size = (1000, 750)
"""The picture that the example is about."""
UNITS = {
    Unit.FRACTION: "fractions of the side",
    Unit.PERCENT: "percent of the side",
    Unit.PER_1000: "thousandths of the side",
    Unit.PER_1024: "1024ths of the side",
    Unit.PIXEL: "pixels of the picture",
    Unit.PIXEL_SENT: "pixels of the picture as resized",
}
TICKS = 5


def draw(dialect: Dialect, file: Path) -> None:
    """Write a PNG, or what the file's suffix says that matplotlib knows. Raises StoreError."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 6.4), layout="constrained")
    sent = dialect.grid.fitted(SIZE_WH) if dialect.grid is not None else None
    points, boxes = _places(dialect, sent)
    _scene(axes, points, boxes)
    _axes(axes, dialect, sent)
    for x, y in points:
        for width, colour in ((5, "black"), (2, "white")):
            axes.plot([x], [y], marker="+", markersize=24, markeredgewidth=width, color=colour)
    for x1, y1, x2, y2 in boxes:
        corners = ([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1])
        axes.plot(*corners, color="#0072b2", linewidth=2, linestyle="--")
    said = [f"point: {dialect.example}"]
    said += [f"box: {dialect.box_example}"] if dialect.box_example else []
    told = "\n".join(line for text in said for line in textwrap.wrap(" ".join(text.split()), 76))
    axes.set_title(f"dialect {dialect.name}\n{told}", fontsize=9, family="monospace", loc="left")
    with writing(file):
        figure.savefig(file, dpi=110)
    pyplot.close(figure)


def _places(dialect: Dialect, sent: Size | None) -> tuple[list[Point], list[Box]]:
    """The example's points and boxes in pixels of the picture."""
    points: list[Point] = []
    boxes: list[Box] = []
    match dialect.read_points(dialect.example).value:
        case Points(xy, unit):
            points = points_to_px(xy, unit, SIZE_WH, sent)
    if dialect.box_example:
        match dialect.read_boxes(dialect.box_example).value:
            case Boxes(xyxy, unit):
                boxes = boxes_to_px(xyxy, unit, SIZE_WH, sent)
    return points, boxes


def _scene(axes: Axes, points: list[Point], boxes: list[Box]) -> None:
    """A table, and a red cup where the example says that one is."""
    from matplotlib.patches import Ellipse, Rectangle

    w, h = SIZE_WH
    axes.add_patch(Rectangle((0, 0), w, h, color="#eee8dc"))
    axes.add_patch(Rectangle((0, 0.55 * h), w, 0.45 * h, color="#c9b79c"))
    for x1, y1, x2, y2 in boxes:
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, color="#d64545", alpha=0.85))
    for x, y in points:
        axes.add_patch(Ellipse((x, y), 90, 90, color="#d64545"))
    axes.set_xlim(0, w)
    axes.set_ylim(h, 0)
    axes.set_aspect("equal")


def _axes(axes: Axes, dialect: Dialect, sent: Size | None) -> None:
    """Numbers as the dialect counts them, and which of the two it writes first."""
    w, h = SIZE_WH
    across = [k * w / TICKS for k in range(TICKS + 1)]
    down = [k * h / TICKS for k in range(TICKS + 1)]
    axes.set_xticks(
        across, [_number(from_px((x, 0), dialect.unit, SIZE_WH, sent)[0]) for x in across]
    )
    axes.set_yticks(down, [_number(from_px((0, y), dialect.unit, SIZE_WH, sent)[1]) for y in down])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    first, second = (" (written first)", " (written second)")
    x_first = dialect.order == "xy"
    axes.set_xlabel(f"x{first if x_first else second}: {UNITS[dialect.unit]}")
    axes.set_ylabel(f"y{second if x_first else first}")


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 2 else f"{value:.0f}"
