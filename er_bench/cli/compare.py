"""`er-bench compare`."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show, tell

if TYPE_CHECKING:
    from er_bench.cli.tables import Output
    from er_bench.report.compare import Comparison, Link, TaskComparison

WIDTH = 80
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
    format_name: o.Format = "table",
    quiet: o.Quiet = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Pages that `report A B --out DIR` wrote: samples won and lost become links.",
        ),
    ] = None,
    include_path: o.Include = None,
) -> None:
    """Compare two runs sample by sample: settings, differences with intervals, won and lost."""
    from er_bench.cli.tables import Output
    from er_bench.comparing import compare as compared
    from er_bench.core.errors import UsageError
    from er_bench.report import compare_text
    from er_bench.report.compare import to_json
    from er_bench.reporting import sample_links

    if report is not None and format_name not in ("table", "json", "md"):
        raise UsageError(f"{format_name} has no links; take --report with table, json or md")
    made = compared(a, b, reading=reading, accept_data=accept_data, include=include_path or ())
    if report is not None and not made.paired:
        raise UsageError("a reported score has no samples; leave --report out")
    link = None if report is None else sample_links(report, [a, b])
    if format_name == "json":
        show(to_json(made, link))
    elif format_name == "csv":
        show(compare_text.to_csv(made).removesuffix("\n"))
    elif format_name == "md":
        show(compare_text.to_markdown(made, link).removesuffix("\n"))
    elif format_name == "table":
        _print(made, link, Output(quiet=quiet))
    else:
        Output(format_name).put(compare_text.sheet(made))
    low = [t for t in made.tasks if fail_below is not None and t.gain < fail_below]
    for task in low:  # nothing but the data where a program reads them
        say = show if format_name == "table" else tell
        say(f"{task.task}: {task.gain:+.4f} is below --fail-below {fail_below}")
    if low:
        raise typer.Exit(BELOW)


def _print(made: Comparison, link: Link | None, out: Output) -> None:
    from er_bench.report import compare_text

    out.say(f"A: {made.names[0]}")
    out.say(f"B: {made.names[1]}")
    out.say(f"reading: {made.reading}; differences are B - A, in percent")
    for name, (was, now) in made.settings.items():
        out.say(f"differs: {name}: {_short(was)} | {_short(now)}")
    out.put(compare_text.sheet(made))
    for line in (*compare_text.remarks(made), *compare_text.categories(made)):
        out.say(fill(line, WIDTH, break_long_words=False, break_on_hyphens=False))
    for task in made.tasks:
        _print_samples(task, link, out)


def _print_samples(task: TaskComparison, link: Link | None, out: Output) -> None:
    """Samples won and lost: in one line, or with links a line each."""
    from er_bench.report.compare import MOST_LISTED

    for what, ids in (("won", task.won), ("lost", task.lost)):
        shown, rest = ids[:MOST_LISTED], len(ids) - MOST_LISTED
        more = [f"and {rest} more"] if rest > 0 else []
        if ids and link is None:
            out.say(f"{task.task}, {what}: {' '.join([', '.join(shown), *more])}")
        elif ids and link is not None:
            lines = [*(f"{i}  {link(task.task, i)}" for i in shown), *more]
            out.say("\n  ".join([f"{task.task}, {what}:", *lines]))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
