"""A run as one table, a line a task: Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from er_bench.data.files import write_text
from er_bench.report.board_text import latex, markdown
from er_bench.report.exports.finished import FinishedRun
from er_bench.report.results import LOWER, TaskResult


def to_markdown(run: FinishedRun, out: Path) -> list[Path]:
    """`results.md`, a pipe table."""
    return [_written(out / "results.md", markdown(_rows(run)))]


def to_latex(run: FinishedRun, out: Path) -> list[Path]:
    """`results.tex`, a tabular with booktabs' rules."""
    return [_written(out / "results.tex", latex(_rows(run)))]


def _written(file: Path, text: str) -> Path:
    write_text(file, text)
    return file


def _rows(run: FinishedRun) -> Sequence[Sequence[str]]:
    heading = ["task", "metric", "score", "95% interval", "robust", "scored"]
    return [heading, *([label, *_cells(task)] for label, task in run.results.tasks.items())]


def _cells(task: TaskResult) -> list[str]:
    metric = f"{task.metric} {LOWER}" if task.lower_is_better else task.metric
    low, high = (_percent(end) for end in task.ci95 or (None, None))
    return [
        metric,
        _percent(task.score),
        f"{low} .. {high}" if task.ci95 else "-",
        _percent(task.robust_score),
        f"{task.n_scored}/{task.n_total}",
    ]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
