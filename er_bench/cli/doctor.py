"""`er-bench doctor`."""

from __future__ import annotations


def doctor() -> None:
    """Say what works on this machine, what is missing, and the command that gets it."""
    from rich.table import Table

    from er_bench.cli.tables import printed
    from er_bench.run.machine import examine

    table = Table(title="er-bench doctor")
    for name in ("what", "state", "next step"):
        table.add_column(name, overflow="fold")
    for finding in examine():
        table.add_row(finding.what, finding.state, finding.next_step)
    printed(table)
