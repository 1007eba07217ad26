"""Charts as SVG: scores with their intervals, told apart by shape and hatch, not by colour."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from er_bench.report.results import LOWER, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P")
LONGEST_NAME = 50
"""Characters of a name; a longer one would leave no room to draw in."""


def scores(runs: Sequence[Results]) -> str:
    """Scores of all tasks with 95% intervals, in percent, a marker a run; chance as a tick."""
    labels = list(dict.fromkeys(label for run in runs for label in run.tasks))

    def draw(axes: Axes) -> None:
        for number, run in enumerate(runs):
            shift = (number - (len(runs) - 1) / 2) * 0.28
            _draw(axes, labels, run, MARKERS[number % len(MARKERS)], shift, filled=not number)
        if len(runs) > 1:
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(runs),
                        frameon=False)  # fmt: skip

    height = 0.9 + 0.34 * max(1, len(labels)) + 0.12 * (len(runs) - 1) * len(labels)
    return _svg(height, [_marked(label, runs) for label in labels], draw)


@dataclass(frozen=True, slots=True)
class Score:
    """A score to draw, a fraction."""

    name: str
    score: float | None
    ci95: tuple[float, float] | None
    measured: bool
    chance: float | None


def column(scores: Sequence[Score]) -> str:
    """The scores of one benchmark, a line a model: filled where measured, hollow where reported."""

    def draw(axes: Axes) -> None:
        for row, found in enumerate(scores):
            if found.score is not None:
                _mark(axes, row, found.score, found.ci95, "o", filled=found.measured)
            _chance(axes, row, found.chance)

    return _svg(0.9 + 0.3 * max(1, len(scores)), [found.name for found in scores], draw)


def _svg(height_in: float, names: Sequence[str], draw: Callable[[Axes], None]) -> str:
    """A chart of percents with a line a name."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    style: dict[str, Any] = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
             "svg.hashsalt": "er-bench"}  # fmt: skip
    with mpl.rc_context(style):  # type: ignore[arg-type]
        figure, axes = pyplot.subplots(figsize=(7.6, height_in), layout="constrained")
        draw(axes)
        shown = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…" for name in names]
        axes.set_yticks(range(len(shown)), shown, parse_math=False)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(-2, 102)
        axes.set_xlabel("score, percent, with 95% interval; | is chance")
        axes.grid(axis="x", alpha=0.3)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
        pyplot.close(figure)
    svg = out.getvalue()
    return re.sub("#000000", "currentColor", svg[svg.index("<svg") :])


def _marked(label: str, runs: Sequence[Results]) -> str:
    """A task's label, with an arrow and words where a lower score is better."""
    lower = any(run.tasks[label].lower_is_better for run in runs if label in run.tasks)
    return f"{label} {LOWER} (lower is better)" if lower else label


def _draw(
    axes: Axes, labels: Sequence[str], run: Results, marker: str, shift: float, *, filled: bool
) -> None:
    name: str | None = run.model.name
    for row, label in enumerate(labels):
        task = run.tasks.get(label)
        if task is None or task.score is None:
            continue
        _mark(axes, row + shift, task.score, task.ci95, marker, filled=filled, name=name)
        name = None
        _chance(axes, row + shift, task.chance)


def _mark(
    axes: Axes,
    y: float,
    score: float,
    ci95: tuple[float, float] | None,
    marker: str,
    *,
    filled: bool,
    name: str | None = None,
) -> None:
    """A score, a fraction, with its interval; `name` is its entry in the legend."""
    if ci95 is not None:
        axes.plot([100 * end for end in ci95], [y, y], color="#000000", linewidth=1.2)
    axes.plot([100 * score], [y], marker=marker, color="#000000", markersize=6,
              markerfacecolor="#000000" if filled else "none",
              linestyle="none", label=name)  # fmt: skip


def _chance(axes: Axes, y: float, chance: float | None) -> None:
    if chance is not None:
        axes.plot([100 * chance], [y], marker="|", color="#000000", alpha=0.5, markersize=9)
