"""`er-bench export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show

if TYPE_CHECKING:
    from er_bench.report.exports.finished import Exporter


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
    format_name: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv, md, latex, eee (Every Eval Ever 0.3.0), hf (.eval_results of a model's "
            "page), lm-eval, or one that a package of yours brings.",
        ),
    ] = "csv",
    include_path: o.Include = None,
) -> None:
    """Write a run in a format that other tools read."""
    from er_bench.core.registry import Kind, Registry
    from er_bench.report.exports import finished

    registry = Registry(tuple(include_path or ()))
    exporter = cast("Exporter", registry.find(Kind.EXPORTER, format_name))
    for path in finished.export(run, exporter, out):
        show(f"written: {path}")
