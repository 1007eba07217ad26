"""`er-bench sim`: serve a simulator, or check one against the protocol."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from er_bench.cli import options as o
from er_bench.core.paths import resolved

if TYPE_CHECKING:
    from er_bench.sim.simulators import Known

app = typer.Typer(
    name="sim",
    help="Simulators: install one, serve one, check one against the wire protocol.",
    no_args_is_help=True,
    add_completion=False,
)
Name = Annotated[
    str, typer.Argument(help="A simulator er-bench knows (er-bench sim list), or a server file.")
]
Option = Annotated[
    list[str] | None, typer.Option("--option", help="KEY=VALUE for the simulator; repeatable.")
]


@app.command("list")
def list_known(
    format_name: o.Format = "table", quiet: o.Quiet = False, include_path: o.Include = None
) -> None:
    """List the simulators that there is a server file for, and whether they run here."""
    from er_bench.cli.tables import Output
    from er_bench.core.registry import Kind, Registry
    from er_bench.report.sheet import Sheet, columns
    from er_bench.sim.simulators import simulator, why_unavailable

    registry = Registry(tuple(include_path or ()))
    all_known = [simulator(name, registry=registry) for name in registry.names(Kind.SIMULATOR)]
    rows = [[known.name, known.variable, why_unavailable(known) or "yes"] for known in all_known]
    sheet = Sheet("Simulators", columns("simulator", "where it is told", "here"), rows)
    Output(format_name, quiet).put(sheet)


@app.command()
def install(
    name: Name,
    assets: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Its data files, where it has some that are not on PyPI."),
    ] = None,
) -> None:
    """Install a simulator into an environment of its own; nothing else changes.

    It lies in er-bench's cache folder (ER_BENCH_CACHE), where runs find it.
    """
    from er_bench.cli.terminal import show, tell
    from er_bench.sim.install import install as installed

    python = installed(_known(name, None, None), tell, assets)
    show(f"{name} is installed: {python}")


@app.command()
def serve(
    name: Name,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    option: Option = None,
    include_path: o.Include = None,
    idle: Annotated[
        float, typer.Option(min=1, help="Seconds after which a silent client is left.")
    ] = 3600.0,
) -> None:
    """Serve a simulator on 127.0.0.1, with the token in ER_BENCH_SIM_TOKEN, until stopped.

    One client at a time; the next is served when it leaves, or is silent for --idle seconds.
    """
    from er_bench.core.errors import UsageError

    known = _known(name, option, include_path)
    command = known.command(_python(known), f"--listen={port}", f"--idle={idle:g}")
    try:
        os.execv(command[0], command)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot start {command[0]} ({known.variable}): {error}") from None


@app.command()
def check(
    name: Name,
    option: Option = None,
    format_name: o.Format = "table",
    quiet: o.Quiet = False,
    include_path: o.Include = None,
) -> None:
    """Try every rule of the protocol on a simulator. Exit code 3 when one is not kept."""
    from er_bench.cli.tables import Output
    from er_bench.core.errors import UnavailableError
    from er_bench.report.sheet import Sheet, columns
    from er_bench.sim.conformance import check as conformance
    from er_bench.sim.simulators import launches, why_unavailable

    known = _known(name, option, include_path)
    if why := why_unavailable(known):
        raise UnavailableError(why)
    import asyncio

    findings = asyncio.run(conformance(launches(known)[0]))
    rows = [(finding.rule, finding.kept, finding.detail) for finding in findings]
    names = columns("rule", "kept", "what was seen")
    Output(format_name, quiet).put(Sheet(f"{known.name}: the wire protocol", names, rows))
    sys.exit(0 if all(finding.kept for finding in findings) else 3)


def _known(name: str, option: list[str] | None, include_path: list[Path] | None) -> Known:
    from er_bench.core.errors import UsageError
    from er_bench.core.key_values import key_values
    from er_bench.core.registry import Registry
    from er_bench.sim.simulators import Known, simulator

    options = key_values(",".join(option or ()), "--option")
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise UsageError(f"there is no server file {name}")
        return Known(Path(name).stem, resolved(name), "see that file", options)
    return simulator(name, options, registry=Registry(tuple(include_path or ())))


def _python(known: Known) -> str:
    from er_bench.core.errors import UsageError
    from er_bench.sim.simulators import place

    where = place(known) or sys.executable
    if where.startswith(("tcp:", "replay:")):
        raise UsageError(
            f"{known.variable} is {where}; to serve, it must name a Python interpreter"
        )
    return where
