"""`er-bench data make indomain`: questions about a robot's own frames, as training records."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from er_bench.cli import options as o
from er_bench.cli.terminal import show
from er_bench.core.errors import DataError, UsageError
from er_bench.core.paths import resolved

if TYPE_CHECKING:
    from er_bench.core.dialect import Dialect
    from er_bench.core.registry import Registry
    from er_bench.run.budget import Budget
    from er_bench.train.data.indomain import Asker


def indomain(
    episodes: Annotated[Path, typer.Option(help="Recorded episodes with pictures: LeRobot, RLDS.")],
    out: Annotated[Path, typer.Option(help="Folder for meta.json, records and pictures.")],
    model: Annotated[
        str | None,
        typer.Option("--model", help="Who asks and answers; left out: what the simulator knows."),
    ] = None,
    judge: Annotated[str | None, typer.Option(help="Who judges the pairs, 1 to 3.")] = None,
    kinds: Annotated[
        str, typer.Option(help="What the model asks: of general,grounding,spatial.")
    ] = "general,grounding,spatial",
    frames: Annotated[int, typer.Option(min=1, help="Frames of each episode.")] = 5,
    camera: Annotated[str | None, typer.Option(help="Which camera; the first by default.")] = None,
    frame_rule: Annotated[
        str,
        typer.Option(
            help="sent: pixels are those of the picture as the model saw it; official: as the "
            "released code counts them, in the picture before its resize."
        ),
    ] = "sent",
    dialect: Annotated[str, typer.Option(help="How records write points.")] = "internvl_1000",
    model_args: Annotated[str | None, typer.Option(help="k=v,.. for the model's backend.")] = None,
    judge_args: Annotated[str | None, typer.Option(help="k=v,.. for the judge's backend.")] = None,
    rate_hz: Annotated[float | None, typer.Option(help="Control rate, for RLDS.")] = None,
    prices: Annotated[Path | None, typer.Option(help="As er-bench run takes it.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Stop at so many tokens.")] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, help="Stop at so many USD.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on in --out.")] = False,
    include_path: o.Include = None,
) -> None:
    """Make questions about recorded frames, for er-bench sft: a model's, and a simulator's own.

    Where the episodes tell where things are (er-bench data make demonstrations), questions with
    exact answers are made of it; they need no model. With --model a model makes general, grounding
    and spatial ones; what --judge scores below 2 is kept in rejected.jsonl, with the reason.
    """
    import asyncio

    from er_bench.core.registry import Registry
    from er_bench.data.files import writing
    from er_bench.data.robot_episodes.open import open_robot_data
    from er_bench.run.budget import SpentError
    from er_bench.train.data import indomain as engine
    from er_bench.train.data.from_runs import META, PICTURES
    from er_bench.train.data.pair_reading import KINDS, FrameRule
    from er_bench.train.data.robot_frames import frames as frames_of

    wanted = [kind for kind in KINDS if kind in kinds.split(",")]
    if len(wanted) < len(kinds.split(",")):
        raise UsageError(f"--kinds takes {', '.join(KINDS)}, not {kinds!r}")
    if frame_rule not in ("sent", "official"):
        raise UsageError(f"--frame-rule takes sent or official, not {frame_rule!r}")
    if out.exists() and not resume and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already: --resume goes on in it, or name a new folder")
    registry = Registry(tuple(include_path or ()))
    written_in = _dialect(registry, dialect)
    data = open_robot_data(episodes, rate_hz=rate_hz)
    with writing(out):
        (out / PICTURES).mkdir(parents=True, exist_ok=True)
    chosen = list(frames_of(data, out / PICTURES, frames, camera))
    made = engine.Written(out, resolved(episodes).name)
    engine.add_true(chosen, written_in, made)
    askers: list[Asker] = []
    if model is not None:
        budget = _budget(max_tokens, max_cost, prices, model)
        asker = _asker(registry, model, model_args, out / engine.SAID, budget)
        judging = None
        if judge is not None:
            judging = _asker(registry, judge, judge_args, out / engine.JUDGEMENTS, budget)
        askers = [asker, *([judging] if judging else [])]
        rule: FrameRule = "official" if frame_rule == "official" else "sent"
        work = engine.add_asked(chosen, wanted, asker, judging, rule, made)
        try:
            asyncio.run(_closing(work, askers))
        except SpentError as error:
            made.finish()
            raise SpentError(f"{error}; go on with a higher limit and --resume") from error
    elif judge is not None:
        raise UsageError("--judge judges what --model makes; name one")
    made.finish()
    counts = {name: len(records) for name, records in sorted(made.kept.items())}
    for name, n in counts.items():
        show(f"{name}: {n}")
    show(f"{sum(counts.values())} records of {len(chosen)} frames, {len(made.rejected)} rejected")
    if failed := [error for asker in askers for error in asker.failed]:
        told = f"{len(failed)} requests failed, the first: {failed[0]}; --resume asks them again"
        raise type(failed[0])(told)
    if not counts:
        raise DataError("no record: the episodes tell no places, and no pair was kept", file=out)
    show(f"er-bench sft --recipe RECIPE --set data={out / META}")


async def _closing(work: Coroutine[object, object, None], askers: list[Asker]) -> None:
    """Do the work, then let go of the models."""
    try:
        await work
    finally:
        for asker in askers:
            await asker.model.close()


def _dialect(registry: Registry, name: str) -> Dialect:
    from er_bench.core.dialect import Benchmark

    found = registry.dialect(name)
    if isinstance(found, Benchmark):
        raise UsageError("points are written in a model's dialect; benchmark is none")
    return found


def _budget(
    max_tokens: int | None, max_cost: float | None, prices: Path | None, model: str
) -> Budget:
    from er_bench.run.budget import Budget, read_price

    return Budget(max_tokens, max_cost, read_price(prices, model) if prices else None)


def _asker(registry: Registry, name: str, args: str | None, file: Path, budget: Budget) -> Asker:
    """Who is asked; what was said before counts as spent. Raises UsageError for a policy."""
    from er_bench.core.key_values import typed_key_values
    from er_bench.run.open_model import open_model
    from er_bench.train.data.indomain import Asker

    told: dict[str, Any] = dict(typed_key_values(args, "--model-args"))
    opened = open_model(registry, name, model_args=told)
    if not opened.asks:
        raise UsageError(f"{opened.name} is a policy; questions need a model that answers")
    asker = Asker(opened, file, budget.add_answer)
    for answer in asker.said.values():
        budget.count_answer(answer)
    return asker
