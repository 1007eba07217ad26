"""`er-bench compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show

if TYPE_CHECKING:
    from er_bench.report.compare import Comparison

BELOW = 4
"""Exit code: a difference is below --fail-below."""


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A run folder, or reported:MODEL@SOURCE.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one. Differences are B - A.")],
    reading: Annotated[str, typer.Option(help="The reading that is compared.")] = "official",
    fail_below: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Exit 4 when the difference of a task is below X, a fraction: -0.02 lets a task "
            "lose two points. For continuous integration.",
        ),
    ] = None,
    accept_data: Annotated[
        bool, typer.Option("--accept-data", help="Compare runs over other rows, by sample id.")
    ] = False,
    format_name: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    include_path: o.Include = None,
) -> None:
    """Compare two runs sample by sample: settings, differences with intervals, won and lost."""
    from er_bench.comparing import compare as compared
    from er_bench.core.errors import UsageError
    from er_bench.report.compare import to_json

    if format_name not in ("table", "json"):
        raise UsageError(f"--format takes table, json, not {format_name!r:.80}")
    made = compared(a, b, reading=reading, accept_data=accept_data, include=include_path or ())
    if format_name == "json":
        show(to_json(made))
    else:
        _print(made)
    low = [t for t in made.tasks if fail_below is not None and t.gain < fail_below]
    for task in low:
        show(f"{task.task}: {task.gain:+.4f} is below --fail-below {fail_below}")
    if low:
        raise typer.Exit(BELOW)


def _print(made: Comparison) -> None:
    from er_bench.cli.tables import Table, percent, printed
    from er_bench.report.compare import MOST_LISTED
    from er_bench.report.results import LOWER

    show(f"A: {made.names[0]}")
    show(f"B: {made.names[1]}")
    show(f"reading: {made.reading}; differences are B - A, in percent")
    if not made.paired:
        show("a reported score has no samples: compared unpaired, as if it had no error of its own")
    for name, (was, now) in made.settings.items():
        show(f"differs: {name}: {_short(was)} | {_short(now)}")
    table = Table(title="B - A (percent)")
    for name in ("task", "A", "B", "B - A", "95% interval", "p", "won", "lost", "n"):
        table.add_column(name, overflow="fold")
    for task in made.tasks:
        interval = task.difference.ci95
        table.add_row(
            f"{task.task} {LOWER}" if task.lower_is_better else task.task,
            *map(percent, task.scores),
            f"{task.difference.value * 100:+.1f}",
            "-" if interval is None else " .. ".join(f"{x * 100:+.1f}" for x in interval),
            "-" if task.p_holm is None else f"{task.p_holm:.3g}",
            str(len(task.won)),
            str(len(task.lost)),
            str(task.difference.n),
        )
    printed(table)
    if any(task.lower_is_better for task in made.tasks):
        show(f"{LOWER} lower is better: won are the samples where B is lower")
    show("p: exact McNemar where each sample is right or wrong and stands alone, else by the")
    show("clustered error; adjusted for the number of tasks (Holm)")
    for task in made.tasks:
        for what, ids in (("won", task.won), ("lost", task.lost)):
            if ids:
                rest = f" and {len(ids) - MOST_LISTED} more" if len(ids) > MOST_LISTED else ""
                show(f"{task.task}, {what}: {', '.join(ids[:MOST_LISTED])}{rest}")
        for side, ids in zip("AB", task.only, strict=True):
            if ids:
                show(f"{task.task}: {len(ids)} samples are scored in {side} alone")
        for category, found in task.categories.items():
            interval = found.ci95
            shown = "" if interval is None else f" ({interval[0]:+.1%} .. {interval[1]:+.1%})"
            show(f"{task.task}, {category}: {found.value:+.1%}{shown}, n {found.n}")
    for side, labels in zip("AB", made.not_shared, strict=True):
        if labels:
            show(f"in {side} alone: {', '.join(labels)}")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
