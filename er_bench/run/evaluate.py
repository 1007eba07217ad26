"""One evaluation: opened tasks and a model to a run folder with its manifest and records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from er_bench.core.errors import UsageError
from er_bench.core.manifest import (
    Identity,
    Manifest,
    ModelInfo,
    Rows,
    Shard,
    TaskIdentity,
    TaskPlan,
)
from er_bench.core.model import Model
from er_bench.core.paths import resolved
from er_bench.core.record import SCHEMA_VERSION, Key, Record
from er_bench.core.registry import Registry
from er_bench.run import runner
from er_bench.run.asking import Limits
from er_bench.run.frames import FrameKeeper, FrameSize
from er_bench.run.machine_facts import run_info
from er_bench.run.open_tasks import Opened, RowChoice
from er_bench.run.shards import samples_of
from er_bench.run.store import RunStore, stray

MAX_CONCURRENCY = 4096
"""Samples in flight at most; each holds its pictures and a connection."""
MAX_REPEATS = 10_000


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes, beside which rows it takes."""

    repeats: int = 1
    seed: int = 0
    concurrency: int | None = None
    limits: Limits = field(default_factory=Limits)
    frames: FrameSize = "small"
    command: Sequence[str] = ()
    name: str = ""
    """What the user calls the run."""
    shard: Shard | None = None
    """The part of the samples that this process takes."""

    def __post_init__(self) -> None:
        """Raise UsageError for numbers that no run can go with."""
        for name, most in (("concurrency", MAX_CONCURRENCY), ("repeats", MAX_REPEATS)):
            value = getattr(self, name)
            if value is not None and not (type(value) is int and 1 <= value <= most):
                raise UsageError(f"{name} is a whole number from 1 to {most}, not {value!r}")


async def run(
    registry: Registry,
    model: Model,
    choice: RowChoice,
    options: Options,
    opened: Sequence[Opened],
    out: Path,
    *,
    resume: bool,
    on_record: Callable[[Record], None] = lambda record: None,
) -> None:
    """Run what is not done yet into a run folder, and let the model go.

    Raises ConfigError, before there is a folder, when the model cannot be asked at all.
    """
    try:
        await _run(registry, model, choice, options, opened, out, resume, on_record)
    finally:
        await model.close()


async def _run(
    registry: Registry,
    model: Model,
    choice: RowChoice,
    options: Options,
    opened: Sequence[Opened],
    out: Path,
    resume: bool,
    on_record: Callable[[Record], None],
) -> None:
    manifest = new_manifest(registry, model, choice, options, opened)
    n_samples = sum(plan.n_total for plan in manifest.tasks.values())
    if n_samples and not resume:
        await model.check()
    media = [medium for o in opened for medium in o.found.media]
    with RunStore(out, manifest, resume=resume, media=media) as store:
        has_place = place_of(opened, options.repeats, choice.limit, options.shard)
        for key in store.done:
            if not has_place(key):
                raise stray(store.folder, key)
        jobs = [
            runner.Job(
                o.task,
                o.reference,
                store.done,
                choice.limit,
                options.shard,
                {**o.found.missing, **o.found.faults},
            )
            for o in opened
            if o.why_not is None
        ]
        if resume and len(store.done) < n_samples:
            await model.check()
        workers = min(options.concurrency or model.concurrency, max(1, n_samples))
        await runner.run(
            jobs,
            model,
            store.append_all,
            on_record=on_record,
            concurrency=workers,
            repeats=options.repeats,
            limits=options.limits,
            frames=FrameKeeper(out, options.frames),
        )


def place_of(
    opened: Sequence[Opened], repeats: int, limit: int | None, shard: Shard | None
) -> Callable[[Key], bool]:
    """Whether a run, or a part of one, has a place for a record; rows are read when it is asked."""
    places: dict[str, set[str]] = {}
    tasks = {o.task.label: o.task for o in opened if o.why_not is None}

    def has_place(key: Key) -> bool:
        label, sample_id, repeat = key
        if label in tasks and label not in places:
            places[label] = {sample.id for sample in samples_of(tasks[label], limit, shard)}
        return sample_id in places.get(label, ()) and repeat < repeats

    return has_place


def new_manifest(
    registry: Registry,
    model: Model,
    choice: RowChoice,
    options: Options,
    opened: Sequence[Opened],
) -> Manifest:
    """The manifest of a run that begins now."""
    data = None if choice.data is None else str(resolved(choice.data))
    return Manifest(
        schema_version=SCHEMA_VERSION,
        info=run_info(options.command, options.name, model.elsewhere),
        model=model_info(registry, model),
        identity=Identity(
            model=model.identity(),
            tasks={o.task.label: task_identity(o) for o in opened if o.why_not is None},
            repeats=options.repeats,
            seed=options.seed,
        ),
        options=Rows(split=choice.split, data=data, limit=choice.limit),
        tasks={
            o.task.label: task_plan(o, options.repeats, n_samples(o, choice.limit, options.shard))
            for o in opened
        },
        shard=options.shard,
    )


def n_samples(opened: Opened, limit: int | None, shard: Shard | None) -> int:
    """How many samples of a task a run takes, or a part of it."""
    if shard is None or opened.why_not is not None:
        return opened.found.n_wanted
    return sum(1 for _ in samples_of(opened.task, limit, shard))


def task_identity(opened: Opened) -> TaskIdentity:
    """What must stay the same of a task."""
    return TaskIdentity(
        split=opened.split,
        protocol=opened.task.protocol,
        rows=opened.found.n_wanted,
        data_fingerprint=opened.found.fingerprint,
        prompt_sha256=opened.found.prompt_sha256,
        media_fingerprint=opened.found.media_fingerprint,
    )


def task_plan(opened: Opened, repeats: int, n: int | None = None) -> TaskPlan:
    """One task's entry; `n` samples are to run, all that were looked over unless it is given."""
    return TaskPlan(
        n_total=(opened.found.n_wanted if n is None else n) * repeats,
        chance=opened.found.chance,
        accepted=opened.accepted,
        revision=opened.revision,
        why_not=opened.why_not,
        root=str(opened.task.root.absolute()),
    )


def model_info(registry: Registry, model: Model) -> ModelInfo:
    """The model's entry in manifest and results."""
    info = model.identity()
    card = registry.model_files.get(model.name)
    plain: dict[str, JsonValue] = {
        "name": model.name,
        "backend": type(model).__name__,
        "checkpoint": "",
        "revision": None,
        "dialect": model.dialect.name,
        "decoding": {},
    }
    known = {name: info.pop(name, default) for name, default in plain.items()}
    sha256 = card and hashlib.sha256(card.read_bytes()).hexdigest()
    return ModelInfo.model_validate({**known, "card_sha256": sha256, "settings": info})
