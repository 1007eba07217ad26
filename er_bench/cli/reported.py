"""`er-bench reported`."""

from __future__ import annotations

from typing import Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show


def reported(
    audit: Annotated[
        bool, typer.Option("--audit", help="Find numbers that cannot be or contradict each other.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="All published numbers of one model, by column.")
    ] = None,
    format_name: o.Format = "table",
    quiet: o.Quiet = False,
) -> None:
    """List the published scores that er-bench knows, and what is wrong with them."""
    from er_bench.cli.tables import Output
    from er_bench.report import audit as auditing
    from er_bench.report.reported import (
        read_columns,
        read_reported,
        reported_sources,
        same_model,
    )
    from er_bench.report.sheet import Column, Sheet, columns

    out = Output(format_name, quiet)
    sources = [read_reported(name) for name in reported_sources()]
    if audit:
        found = auditing.audit(sources, read_columns())
        if format_name != "table":
            faults = [(finding.kind, finding.place, finding.told) for finding in found]
            out.put(Sheet("what is wrong", columns("kind", "place", "what is told"), faults))
            return
        for kind in dict.fromkeys(finding.kind for finding in found):
            ours = [finding for finding in found if finding.kind == kind]
            show(f"\n{kind}: {len(ours)}")
            for finding in ours:
                show(f"  {finding.place}: {finding.told}")
        return
    if model is not None:
        names = columns("benchmark", "score", "source", "as", "doubt")
        rows = sorted(
            (column, source.printed(score), source.name, row, doubts.get(column, ""))
            for source in sources
            for row in source.rows
            if same_model(row) == same_model(model)
            for doubts in [source.doubts.get(row, {})]
            for column, score in source.cells(row).items()
        )
        out.put(Sheet(f"published numbers of {model} (percent)", names, rows))
        return
    counts = [Column("models", "count"), Column("columns", "count")]
    sheet = Sheet(
        "published scores",
        [*columns("source", "date"), *counts, *columns("protocol")],
        [(s.name, s.date, len(s.rows), len(s.columns), s.how) for s in sources],
    )
    out.put(sheet)
    out.say("er-bench reported --audit: numbers that cannot be, or contradict each other")
