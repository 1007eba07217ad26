"""Charts as SVG: scores with their intervals, told apart by shape and hatch, not by colour."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from er_bench.report.results import LOWER, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P")


def scores(runs: Sequence[Results]) -> str:
    """Scores of all tasks with 95% intervals, in percent, a marker a run; chance as a tick."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    labels = list(dict.fromkeys(label for run in runs for label in run.tasks))
    height = 0.9 + 0.34 * max(1, len(labels)) + 0.12 * (len(runs) - 1) * len(labels)
    style: dict[str, Any] = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
             "svg.hashsalt": "er-bench"}  # fmt: skip
    with mpl.rc_context(style):  # type: ignore[arg-type]
        figure, axes = pyplot.subplots(figsize=(7.6, height), layout="constrained")
        for number, run in enumerate(runs):
            shift = (number - (len(runs) - 1) / 2) * 0.28
            _draw(axes, labels, run, MARKERS[number % len(MARKERS)], shift, filled=not number)
        axes.set_yticks(range(len(labels)), [_marked(label, runs) for label in labels])
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlim(-2, 102)
        axes.set_xlabel("score, percent, with 95% interval; | is chance")
        axes.grid(axis="x", alpha=0.3)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        if len(runs) > 1:
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(runs),
                        frameon=False)  # fmt: skip
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
        pyplot.close(figure)
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    return re.sub("#000000", "currentColor", svg)


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
        y, x = row + shift, 100 * task.score
        if task.ci95 is not None:
            axes.plot([100 * end for end in task.ci95], [y, y], color="#000000", linewidth=1.2)
        axes.plot([x], [y], marker=marker, color="#000000", markersize=6,
                  markerfacecolor="#000000" if filled else "none",
                  linestyle="none", label=name)  # fmt: skip
        name = None
        if task.chance is not None:
            axes.plot([100 * task.chance], [y], marker="|", color="#000000", alpha=0.5,
                      markersize=9)  # fmt: skip
