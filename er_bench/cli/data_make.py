"""`er-bench data make`: records to teach with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from er_bench.cli.terminal import show

app = typer.Typer(help="Make training records.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the kinds of records sub-commands."""


@app.command("answers")
def answers(
    run: Annotated[Path, typer.Argument(help="The run whose answers teach.")],
    out: Annotated[Path, typer.Option(help="Folder for meta.json, records and pictures.")],
    at_least: Annotated[
        float, typer.Option(min=0, max=1, help="Least reward of an answer that teaches.")
    ] = 1.0,
    reading: Annotated[str, typer.Option(help="The reading that scores.")] = "robust",
) -> None:
    """Make training records of a run's good answers; the others are kept apart, with the reason.

    A run of reference/oracle gives the truth: er-bench run --model reference/oracle --tasks T. The
    reward is the score, or one less it where a lower one is better.
    """
    from er_bench.core.errors import DataError
    from er_bench.core.registry import Registry, TaskSpec, unknown
    from er_bench.data.run_folder import read_manifest
    from er_bench.train.data.from_runs import META, Choice, records_of_run

    registry = Registry()
    worth = {}
    for label in read_manifest(run).tasks:
        name, _, protocol = label.partition("@")
        folder = registry.task_folders[registry.task_card(name).name]
        task = registry.open_task(TaskSpec(name, folder, protocol or None, with_media=False))
        if reading not in task.readings:
            raise unknown("reading", reading, task.readings)
        worth[label] = task.readings[reading].worth
    kept, refused = records_of_run(run, out, Choice(reading, at_least, worth))
    show(f"{kept} records, {refused} answers refused (rejected.jsonl)")
    if not kept:
        raise DataError(f"no answer of {run} is good enough to teach")
    show(f"er-bench sft --recipe RECIPE --set data={out / META}")
