"""`er-bench reported`."""

from __future__ import annotations

from typing import Annotated

import typer

from er_bench.cli.terminal import show


def reported(
    audit: Annotated[
        bool, typer.Option("--audit", help="Find numbers that cannot be or contradict each other.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="All published numbers of one model, by column.")
    ] = None,
) -> None:
    """List the published scores that er-bench knows, and what is wrong with them."""
    from er_bench.cli.tables import Table, printed
    from er_bench.report import audit as auditing
    from er_bench.report.reported import (
        read_columns,
        read_reported,
        reported_sources,
        same_model,
    )

    sources = [read_reported(name) for name in reported_sources()]
    if audit:
        found = auditing.audit(sources, read_columns())
        for kind in dict.fromkeys(finding.kind for finding in found):
            ours = [finding for finding in found if finding.kind == kind]
            show(f"\n{kind}: {len(ours)}")
            for finding in ours:
                show(f"  {finding.place}: {finding.told}")
        return
    if model is not None:
        table = Table(title=f"published numbers of {model} (percent)")
        for name in ("benchmark", "score", "source", "as", "doubt"):
            table.add_column(name, overflow="fold")
        rows = [
            (column, source.printed(score), source.name, row, doubts.get(column, ""))
            for source in sources
            for row in source.rows
            if same_model(row) == same_model(model)
            for doubts in [source.doubts.get(row, {})]
            for column, score in source.cells(row).items()
        ]
        for row in sorted(rows):
            table.add_row(*row)
        printed(table)
        return
    table = Table(title="published scores")
    for name in ("source", "date", "models", "columns", "title", "protocol"):
        table.add_column(name, overflow="fold")
    for source in sources:
        table.add_row(
            source.name, source.date, str(len(source.rows)), str(len(source.columns)),
            source.title, source.protocol,
        )  # fmt: skip
    printed(table)
    show("er-bench reported --audit: numbers that cannot be, or contradict each other")
