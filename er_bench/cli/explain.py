"""`er-bench explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show, show_json

if TYPE_CHECKING:
    from er_bench.report.explain import Explanation, Otherwise

LISTED = 5
"""How many ids a line shows."""
SHOWN = 6
"""How many frames are shown of those that change little."""


def explain(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    reported: Annotated[
        str,
        typer.Option(metavar="MODEL@SOURCE", help="The published row: er-bench reported lists."),
    ],
    task: Annotated[str | None, typer.Option(help="This task alone.")] = None,
    data: o.Data = None,
    format_name: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    include_path: o.Include = None,
) -> None:
    """Say why a run's number is not the published one.

    The same answers are read again: under every reading, and where places are asked for as
    fractions, thousandths, pixels, with the axes swapped. Beside that: how the run was made, what
    the source says of itself, and what it does not say.
    """
    from er_bench.core.errors import UsageError
    from er_bench.explaining import explain as explained
    from er_bench.report.explain import to_data

    if format_name not in ("table", "json"):
        raise UsageError(f"--format takes table, json, not {format_name!r:.80}")
    made = explained(run, reported, task=task, data=data, include=include_path or ())
    if format_name == "json":
        show_json(to_data(made))
        return
    for number, one in enumerate(made):
        if number:
            show("")
        _print(one)


def _print(one: Explanation) -> None:
    interval = "" if one.ci95 is None else f" (95%: {one.ci95[0]:.1%} .. {one.ci95[1]:.1%})"
    show(f"{one.task}: this run {one.run:.1%}{interval}, published {one.reported:.1%}")
    show(f"  {one.conclusion}")
    if one.doubt:
        show(f"  the published number is in doubt: {one.doubt}")
    show(f"  source: {one.source}")
    show(f"  it says: {one.said}")
    if one.unsaid:
        show(f"  it does not say: {', '.join(one.unsaid)}")
    show("  this run:")
    for name, value in one.settings.items():
        show(f"    {name}: {value if isinstance(value, str) else json.dumps(value)}")
    show("  the same answers, the nearest to the published number first:")
    frames = 0
    for other in one.otherwise:
        frames += other.kind == "frame"
        if other.kind == "frame" and frames > SHOWN and other.score <= one.run:
            continue
        show(f"    {_line(other)}")


def _line(other: Otherwise) -> str:
    words = "reading " if other.kind == "reading" else "as "
    moved = []
    for what, ids in (("more", other.won), ("less", other.lost)):
        if ids:
            rest = ", .." if len(ids) > LISTED else ""
            moved.append(f"{len(ids)} score {what} ({', '.join(ids[:LISTED])}{rest})")
    return f"{other.score:6.1%}  {words}{other.name}" + (f": {'; '.join(moved)}" if moved else "")
