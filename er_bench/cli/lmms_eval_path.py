"""`er-bench lmms-eval-path`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show
from er_bench.core.paths import resolved


def lmms_eval_path(
    data: o.Data = None,
    dialect: o.Dialect = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; in er-bench's cache by default.")
    ] = None,
    include_path: o.Include = None,
) -> None:
    """Write the static tasks as lmms-eval reads them and print the folder.

    lmms-eval eval --include_path "$(er-bench lmms-eval-path)" --tasks er_bench_erqa ..
    """
    from er_bench.lmms_eval.folder import write_folder
    from er_bench.lmms_eval.open_task import Settings

    settings = Settings(
        data=str(resolved(data)) if data else None,
        dialect=dialect or "benchmark",
        include=tuple(str(resolved(folder)) for folder in include_path or ()),
    )
    show(str(write_folder(settings, out)))
