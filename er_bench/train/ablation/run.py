"""The stages of an ablation, one after the other; what is done is not done again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from er_bench import api
from er_bench.core.errors import ConfigError, DataError, UsageError
from er_bench.core.paths import resolved
from er_bench.core.registry import unknown
from er_bench.data.files import write_json, writing
from er_bench.data.text_files import read_json
from er_bench.train.ablation.recipe import Ablation, Arm, Part, arms
from er_bench.train.methods.output import has_ended
from er_bench.train.methods.running import FINAL
from er_bench.train.recipe import Training

MIXTURES = "mixtures"


def check(ablation: Ablation) -> None:
    """Look over every recipe and mixture before the first stage. Raises ConfigError, DataError."""
    for arm in arms(ablation):
        arm.sft(_mixture(ablation, arm.start))
        arm.policy(None)
    for start, parts in ablation.starts.items():
        mixture(start, parts)


def mixture(start: str, parts: list[Part]) -> dict[str, Any]:
    """The data sets of a start as one meta JSON, its paths absolute. Raises DataError."""
    found: dict[str, Any] = {}
    for part in parts:
        meta = read_json(part.meta)
        if not isinstance(meta, dict) or not meta:
            raise DataError("expected an object of data sets", file=part.meta)
        for name in meta if part.sets is None else part.sets:
            if name not in meta:
                raise DataError(f"there is no data set {name!r:.80}", file=part.meta)
            if name in found:
                raise ConfigError(f"start {start}: two data sets are called {name!r:.80}")
            found[name] = _absolute(meta[name], part.meta.parent)
    return found


def _absolute(entry: object, folder: Path) -> object:
    """An entry with its paths from the root; what is none of those is told by its reader."""
    if not isinstance(entry, dict):
        return entry
    paths = {
        key: str(resolved(folder / entry[key]))
        for key in ("root", "annotation")
        if isinstance(entry.get(key), str) and "\0" not in entry[key]
    }
    return {**entry, **paths}


def chosen(ablation: Ablation, only: Collection[str]) -> list[Arm]:
    """The arms of some starts, or all. Raises UsageError."""
    for name in only:
        if name not in ablation.starts:
            raise unknown("start", name, ablation.starts)
    return [arm for arm in arms(ablation) if not only or arm.start in only]


def perform(ablation: Ablation, console: Console, only: Collection[str] = ()) -> None:
    """Fine-tune, train and play every arm, or those of some starts.

    A stage that has ended is left alone, one that was stopped goes on where it was. Raises
    ConfigError where a stage's folder holds another recipe.
    """
    wanted = chosen(ablation, only)
    check(ablation)
    _write_mixtures(ablation)
    for number, arm in enumerate(wanted, start=1):
        console.print(f"arm {number} of {len(wanted)}: {arm.name}")
        score = _arm(ablation, arm, console)
        console.print(f"arm {number} of {len(wanted)}: {arm.name}: {score}")


def _mixture(ablation: Ablation, start: str) -> Path:
    return ablation.output / MIXTURES / f"{start}.json"


def _write_mixtures(ablation: Ablation) -> None:
    with writing(ablation.output):
        (ablation.output / MIXTURES).mkdir(parents=True, exist_ok=True)
    for start, parts in ablation.starts.items():
        file, new = _mixture(ablation, start), mixture(start, parts)
        if file.is_file() and read_json(file) != new:
            raise ConfigError(
                f"{ablation.output} cannot be gone on with: the data sets of {start} are others; "
                "choose another output"
            )
        if parts:
            write_json(file, new)


def _arm(ablation: Ablation, arm: Arm, console: Console) -> str:
    """Do what is left of an arm; its scores in words."""
    from er_bench.train.methods.flow.run import train as train_policy
    from er_bench.train.methods.sft.run import train as fine_tune

    vlm = None
    if (tuning := arm.sft(_mixture(ablation, arm.start))) is not None:
        resume = tuning.output.is_dir()
        vlm = _ended(tuning) or fine_tune(tuning, resume=resume, console=console)
    recipe = arm.policy(vlm)
    resume = recipe.output.is_dir()
    policy = _ended(recipe) or train_policy(recipe, resume=resume, console=console)
    told = ablation.evaluation
    run = api.evaluate(
        f"{recipe.family}/{policy}", told.tasks, out=arm.run, resume=arm.run.is_dir(),
        split=told.split, data=told.data, limit=told.limit, model_args=told.model_args,
        accept_data=told.data is not None, include=told.include, seed=arm.seed, frames="none",
        name=arm.name,
    )  # fmt: skip
    if absent := [task.why for task in run.results.tasks.values() if task.status == "unavailable"]:
        raise UsageError(f"the policies cannot be played here: {absent[0]}")
    return _scores({name: task.score for name, task in run.results.tasks.items()})


def _ended(recipe: Training) -> Path | None:
    return recipe.output / FINAL if has_ended(recipe) else None


def _scores(found: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {score:.1%}" for name, score in found.items() if score is not None)
