"""`er-bench data build`: reconstruct a data set whose authors released none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from er_bench.cli.terminal import show
from er_bench.core.errors import UsageError

app = typer.Typer(help="Make data sets that have to be reconstructed.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `build` a sub-command although it is the only one."""


@app.command("build")
def build(
    task: Annotated[str, typer.Argument(help="The task whose rows are wanted.")],
    source: Annotated[Path, typer.Option(help="The public material: see the task's README.")],
    out: Annotated[Path, typer.Option(help="Folder for the rows; give it to `run --data`.")],
    rows: Annotated[int | None, typer.Option(help="How many rows; the task has a default.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choice of rows.")] = 0,
) -> None:
    """Build a task's rows from public annotations, by the rule in the task's README."""
    if rows is not None and rows < 1:
        raise UsageError(f"--rows must be 1 or more, not {rows}")
    from er_bench.core.registry import Registry

    show(Registry().data_builder(task).build(source, out, rows, seed))
