"""`er-bench power`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show


def power(
    task: Annotated[str, typer.Option(help="The task.")],
    effect: Annotated[
        float, typer.Option(min=0.0001, max=1, help="The difference to find, a fraction.")
    ] = 0.03,
    model_score: Annotated[
        float, typer.Option(min=0, max=1, help="The score around which it lies; --run knows.")
    ] = 0.5,
    run: Annotated[
        Path | None,
        typer.Option(help="A run of the task: its score, and how alike samples of a cluster are."),
    ] = None,
    include_path: o.Include = None,
) -> None:
    """Say what difference a task can show, and how many samples a difference needs."""
    from er_bench.core.errors import UsageError
    from er_bench.core.registry import Registry
    from er_bench.report import power as planned
    from er_bench.report.results import read_results

    card = Registry(tuple(include_path or ())).task_card(task.partition("@")[0])
    alike = planned.Alike(model_score, 1.0)
    n = card.dataset.rows
    if run is not None:
        found = read_results(run).tasks.get(task)
        if found is None or found.score is None or found.stderr is None:
            raise UsageError(f"{run} has no score of {task} with an error")
        alike = planned.alike(found.score, found.stderr, found.n_scored)
        show(f"{run}: score {found.score:.1%}, design effect {alike.design_effect:.2f}")
    show(f"{task}: to find {effect:+.1%} around {alike.score:.0%} with a power of 80% at 5%:")
    show(f"  two runs over the same samples that agree on half of their errors: "
         f"{planned.samples_needed(alike, effect, shared=0.5):,} samples")  # fmt: skip
    show(f"  two runs over other samples: {planned.samples_needed(alike, effect):,} samples each")
    if n is None:
        show("  the task's card does not say how many rows there are")
        return
    show(f"the {n:,} rows of the task show a difference of "
         f"{planned.detectable_with(alike, n, shared=0.5):.1%} paired, "
         f"{planned.detectable_with(alike, n):.1%} unpaired")  # fmt: skip
    show("repeats lower only what differs between repeats of a sample, not between samples")
