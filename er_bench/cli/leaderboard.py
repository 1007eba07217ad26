"""`er-bench leaderboard`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from er_bench.cli.terminal import show

if TYPE_CHECKING:
    from er_bench.report.leaderboard import Leaderboard


def leaderboard(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="RUN..", help="Run folders.")] = None,
    reported: Annotated[
        str, typer.Option(help="Published scores beside them: a source's name, all, or none.")
    ] = "none",
    format_name: Annotated[
        str, typer.Option("--format", help="table, json, csv, md, latex or html.")
    ] = "table",
    out: Annotated[Path | None, typer.Option(help="Write it here instead of printing it.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write JSON here.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write CSV here.")] = None,
) -> None:
    """Show runs side by side, ranked, and beside published scores.

    Averages are over the columns that every line has. Runs share a rank (2=) where the interval of
    their paired difference holds zero; json and csv have ranks in each column too.
    """
    from er_bench.cli.tables import print_leaderboard
    from er_bench.comparing import Ahead
    from er_bench.core.errors import UsageError
    from er_bench.core.registry import Registry
    from er_bench.data.files import write_json, write_text
    from er_bench.report import leaderboard as board
    from er_bench.report.reported import read_reported, reported_sources
    from er_bench.report.results import read_results, run_folders

    folders = [folder for run in runs or [] for folder in run_folders(run)]
    entries = [board.measured(read_results(folder)) for folder in folders]
    places = {id(entry): folder for entry, folder in zip(entries, folders, strict=True)}

    compared = Ahead()

    def ahead(one: board.Entry, other: board.Entry, over: Sequence[str]) -> bool:
        return compared(places[id(one)], places[id(other)], over)

    names = {"none": [], "all": list(reported_sources())}.get(reported, reported.split(","))
    columns = set(Registry().task_folders)
    if reported == "all" and entries:  # a hundred rows: those that something here stands beside
        columns &= {column for entry in entries for column in entry.cells}
    for name in names:
        entries += board.reported_entries(read_reported(name), columns)
    if not entries:
        raise UsageError("give at least one RUN, or --reported SOURCE")
    made = board.rank(entries, ahead)
    if format_name == "table" and out is None:
        print_leaderboard(made)
    else:
        text = _text(made, format_name)
        if out is None:
            show(text.removesuffix("\n"))
        else:
            write_text(out, text)
            show(f"written: {out}")
    if json_file is not None:
        write_json(json_file, board.to_json(made))
        show(f"written: {json_file}")
    if csv_file is not None:
        write_text(csv_file, board.to_csv(made))
        show(f"written: {csv_file}")


def _text(made: Leaderboard, format_name: str) -> str:
    """The leaderboard in a format that is no terminal's. Raises UsageError."""
    import json

    from er_bench.core.registry import unknown
    from er_bench.report import board_text
    from er_bench.report import leaderboard as board

    if format_name == "json":
        return json.dumps(board.to_json(made), indent=2, ensure_ascii=False) + "\n"
    if format_name == "csv":
        return board.to_csv(made)
    if format_name not in board_text.FORMATS:
        raise unknown("format to write", format_name, ["json", "csv", *board_text.FORMATS])
    return board_text.FORMATS[format_name](board_text.rows(made))
