"""`er-bench leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show, show_json, tell

if TYPE_CHECKING:
    from er_bench.report.leaderboard import Leaderboard


def leaderboard(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="RUN..", help="Run folders.")] = None,
    reported: Annotated[
        str, typer.Option(help="Published scores beside them: a source's name, all, or none.")
    ] = "none",
    reading: Annotated[
        str,
        typer.Option(help="Rank by another reading, such as robust; tasks without it drop out."),
    ] = "official",
    format_name: o.Format = "table",
    quiet: o.Quiet = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write it here instead of printing it. With --format html a name without an "
            "ending is a folder: a site with a page a benchmark, the samples of every run, and "
            "all exports."
        ),
    ] = None,
    samples: Annotated[
        bool, typer.Option(help="Whether such a site has the samples and exports of the runs.")
    ] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write JSON here.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write CSV here.")] = None,
    include_path: o.Include = None,
) -> None:
    """Show runs side by side, ranked, and beside published scores.

    Averages are over the columns that every line has. Runs share a rank (2=) where the interval of
    their paired difference holds zero; json and csv have ranks in each column too.
    """
    from er_bench import ranking
    from er_bench.cli.tables import print_leaderboard
    from er_bench.data.files import write_json, write_text
    from er_bench.report import leaderboard as board

    say = (lambda line: None) if quiet else tell
    names = [] if reported == "none" else reported.split(",")
    made = ranking.leaderboard(
        runs or [], reported=names, reading=reading, include=include_path or ()
    )
    if format_name == "table" and out is None:
        print_leaderboard(made, quiet=quiet)
    elif format_name == "json" and out is None:
        show_json(board.to_json(made))
    elif format_name == "html" and out is not None and not out.suffix:
        page = ranking.write_site(made, out, samples=samples, include=include_path or (), tell=say)
        show(f"written: {page}")
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
