"""`er-bench report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="OTHER", help="A second run, shown beside the first.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the pages go: a new folder (RUN/report), or a file (--single)."),
    ] = None,
    single: Annotated[
        bool, typer.Option("--single", help="One self-contained file, for up to 1,000 samples.")
    ] = False,
    data: o.Data = None,
    include_path: o.Include = None,
) -> None:
    """Write pages about a run: every sample with its picture, answer and readings.

    They open from disk and need no network.
    """
    from er_bench.reporting import write_report

    runs = [run] if other is None else [run, other]
    page = write_report(runs, out=out, single=single, data=data, include=include_path or ())
    show(f"written: {page}")
