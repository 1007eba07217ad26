"""`er-bench view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show


def view(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, of any size.")],
    data: o.Data = None,
    include_path: o.Include = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8080,
) -> None:
    """Serve the pages of a run on this machine, until Ctrl-C; pictures come as they are seen.

    A run that is still going is followed: its numbers are made of the records that there are.
    """
    import asyncio

    from aiohttp import web

    from er_bench.core.errors import UsageError
    from er_bench.reporting import open_viewer

    viewer = open_viewer(run, data=data, include=include_path or ())
    if viewer.n_records < viewer.n_total:
        show(f"{viewer.n_records} of {viewer.n_total} samples so far; the page follows the run")

    async def serve() -> None:
        runner = web.AppRunner(viewer.app(), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used ({error.strerror}); give another --port"
            ) from error
        show(f"http://127.0.0.1:{runner.addresses[0][1]}/  (Ctrl-C ends it)")
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    asyncio.run(serve())
