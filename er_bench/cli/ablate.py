"""`er-bench ablate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from er_bench.cli import options as o

if TYPE_CHECKING:
    from er_bench.report.sheet import Sheet
    from er_bench.train.ablation.recipe import Ablation


def ablate(
    recipe: o.Recipe,
    sets: o.Sets = None,
    only: Annotated[
        str | None, typer.Option(help="Some starts, with commas: one job for each.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look everything over and print the arms.")
    ] = False,
    table: Annotated[
        bool, typer.Option("--table", help="Print what is there already; do nothing.")
    ] = False,
    format_name: o.Format = "table",
    quiet: o.Quiet = False,
) -> None:
    """Find which start of a VLM helps a robot policy: tune, train, play, compare in pairs.

    From each start a VLM is fine-tuned (er-bench sft), given an action expert (er-bench vla train)
    and played (er-bench run) on the same rows, once a seed. What has ended is not done again: give
    the same command to go on.
    """
    from er_bench.cli.console import PlainConsole
    from er_bench.cli.tables import Output
    from er_bench.core.errors import UsageError
    from er_bench.train.ablation.outcome import outcomes, sheet
    from er_bench.train.ablation.recipe import load_ablation
    from er_bench.train.ablation.run import perform

    ablation, printer = load_ablation(recipe, list(sets or [])), Output(format_name, quiet)
    starts = only.split(",") if only else []
    if table and (starts or dry_run):
        raise UsageError("--table shows all that is there; leave --only and --dry-run out")
    if dry_run:
        printer.put(_planned(ablation, starts))
        return
    if not table:
        perform(ablation, PlainConsole(stderr=True, quiet=quiet), starts)
    printer.put(sheet(outcomes(ablation), ablation, narrow=format_name == "table"))


def _planned(ablation: Ablation, starts: list[str]) -> Sheet:
    """The arms, and what is done of them."""
    from er_bench.report.results import FILE
    from er_bench.report.sheet import Cell, Sheet, columns
    from er_bench.train.ablation.run import check, chosen, mixture
    from er_bench.train.methods.running import FINAL

    check(ablation)
    rows: list[list[Cell]] = []
    for arm in chosen(ablation, starts):
        sets = mixture(arm.start, ablation.starts[arm.start])
        ends = (arm.folder / "sft" / FINAL, arm.folder / "policy" / FINAL, arm.run / FILE)
        done = [end.exists() or (not sets and k == 0) for k, end in enumerate(ends)]
        stages = zip(("sft", "policy", "run"), done, strict=True)
        left = [stage for stage, ended in stages if not ended]
        rows.append([arm.start, arm.seed, ", ".join(sets) or "-", ", ".join(left) or "nothing"])
    return Sheet(
        f"Plan: {len(rows)} arms in {ablation.output}",
        columns("start", "seed", "fine-tuned on", "left to do"), rows,
    )  # fmt: skip
