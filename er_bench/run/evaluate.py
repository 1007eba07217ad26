"""One evaluation, from names to results: open tasks, look over rows, run, count."""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import er_bench
from er_bench.core.errors import DataError, UnavailableError
from er_bench.core.model import Model
from er_bench.core.outcome import Outcome
from er_bench.core.registry import Registry
from er_bench.core.sample import Sample
from er_bench.core.task import Task
from er_bench.report import results
from er_bench.report.tally import Tally, tally
from er_bench.run import preflight, runner, store
from er_bench.run.preflight import Inspection
from er_bench.run.stored import StoredAnswers

PACKAGES = ("numpy", "pillow", "torch", "transformers", "vllm", "aiohttp", "av", "mujoco")


@dataclass(frozen=True, slots=True)
class Options:
    """What to run and how, as the command line says it."""

    tasks: Sequence[str]
    """Task names, each with its protocol after an `@` if it is not the first."""
    split: str = "official"
    data: Path | None = None
    limit: int | None = None
    repeats: int = 1
    seed: int = 0
    allow_missing: bool = False
    accept_data: bool = False
    concurrency: int | None = None
    limits: runner.Limits = field(default_factory=runner.Limits)
    command: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """One task, opened and looked over. `why_not` is set when it cannot run here."""

    task: Task
    split: str
    found: Inspection
    accepted: list[str]
    revision: str | None = None
    """Commit of the hub data set that the rows came from."""
    why_not: str | None = None


def open_tasks(
    registry: Registry, model: Model, options: Options, say: Callable[[str], None], *, media: bool
) -> list[Opened]:
    """Open every task and look over its rows; `say` gets a line for each.

    Raises:
        DataError: rows cannot be read, differ from the card, or lack their media, and no flag
            lets that pass; the message covers every task.
    """
    opened, refusals = [], []
    for word in options.tasks:
        name, _, protocol = word.partition("@")
        task = registry.open_task(name, registry.task_folders[name], protocol or None)
        try:
            if media and (why := task.unavailable()):
                raise UnavailableError(why)
            root, split, revision = _root(registry, name, options)
            task = registry.open_task(name, root, protocol or None)
            task.with_media = media
            if media and (why := model.unable(task)):
                raise UnavailableError(why)
            say(f"{word}: looking over the rows in {root}")
            for remark in task.remarks():
                say(f"{word}: {remark}")
            found = preflight.inspect(task, model.dialect, options.limit, media=media)
        except UnavailableError as error:
            opened.append(
                Opened(task, task.card.default_split, Inspection(), [], why_not=str(error))
            )
            say(f"{word}: unavailable: {error}")
            continue
        differences = [] if split == "mini" else preflight.mismatch(task.dataset, found)
        if differences and not options.accept_data:
            refusals.append(_mismatch_message(word, root, differences))
        problems = preflight.refusal(word, found)
        if problems and not options.allow_missing:
            refusals.append(problems + "\n  --allow-missing runs the rest; these are data_error")
        label = _split_label(split, found, differences)
        opened.append(Opened(task, label, found, differences, revision))
    if refusals:
        raise DataError("\n".join(refusals))
    return opened


def _split_label(split: str, found: Inspection, differences: Sequence[str]) -> str:
    """What results call the rows: only all of the published rows are `official`."""
    if differences:
        return "custom"
    return split if found.n_wanted == found.n_rows else f"{split}[:{found.n_wanted}]"


def _mismatch_message(task: str, root: Path, differences: Sequence[str]) -> str:
    lines = "\n  ".join(differences)
    return (
        f"{task}: the data in {root} are not the ones on the task's card:\n  {lines}\n"
        "  --accept-data runs them all the same and says so in the results"
    )


def _root(registry: Registry, name: str, options: Options) -> tuple[Path, str, str | None]:
    """The folder of a task's rows, the split it stands for, and its commit on the hub.

    Raises UnavailableError when the rows are not given and cannot be fetched.
    """
    card = registry.task_card(name)
    if options.data is not None:
        names = {word.partition("@")[0] for word in options.tasks}
        root = options.data if len(names) == 1 else options.data / name
        if not root.is_dir():
            raise DataError(f"{name}: there is no data folder {root}")
        return root, "official", None
    if "mini" in (options.split, card.default_split):
        return registry.mini_root(name), "mini", None
    if card.dataset.id is None:
        how = card.dataset.how_to_get or "they were never released"
        raise UnavailableError(f"its rows are not on the hub: {how}; give them with --data DIR")
    from er_bench.data.hub import snapshot

    root, revision = snapshot(card.dataset)
    return root, "official", revision


def identity(model: Model, options: Options, opened: Sequence[Opened]) -> dict[str, Any]:
    """What must be equal for a run to be continued."""
    return {
        "model": model.identity(),
        "tasks": {
            o.task.label: {
                "split": o.split,
                "protocol": o.task.protocol,
                "rows": o.found.n_wanted,
                "data_fingerprint": o.found.fingerprint,
                "prompt_sha256": o.found.prompt_sha256,
            }
            for o in opened
            if o.why_not is None
        },
        "repeats": options.repeats,
        "seed": options.seed,
    }


def run(
    registry: Registry,
    model: Model,
    options: Options,
    out: Path,
    *,
    resume: bool,
    opened: Sequence[Opened],
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> results.Results:
    """Run what is not done yet, write `results.json`, return the results."""
    runs = [o for o in opened if o.why_not is None]
    manifest = _manifest(registry, model, options, opened)
    with store.RunStore(out, manifest, resume=resume) as records:

        def keep(outcome: Outcome) -> None:
            records.append(outcome)
            on_outcome(outcome)

        jobs = [_job(o, options, records.done, model) for o in runs]
        concurrency = options.concurrency or model.concurrency
        asyncio.run(_run_and_close(jobs, model, keep, concurrency, options))
        return count(out, opened)


async def _run_and_close(
    jobs: Sequence[runner.Job],
    model: Model,
    keep: Callable[[Outcome], None],
    concurrency: int,
    options: Options,
) -> None:
    try:
        await runner.run(
            jobs,
            model,
            keep,
            concurrency=concurrency,
            repeats=options.repeats,
            limits=options.limits,
        )
    finally:
        await model.close()


def _job(opened: Opened, options: Options, done: set[store.Key], model: Model) -> runner.Job:
    label, found = opened.task.label, opened.found

    def wanted(sample: Sample, repeat: int) -> bool:
        return (label, sample.id, repeat) not in done

    steps = None
    if isinstance(model, StoredAnswers):
        steps = partial(model.steps, opened.task)
    faults = {**found.missing, **found.faults}
    return runner.Job(opened.task, wanted, options.limit, faults, steps)


def _manifest(
    registry: Registry, model: Model, options: Options, opened: Sequence[Opened]
) -> dict[str, Any]:
    data = options.data and str(options.data.resolve())
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "er_bench_version": er_bench.__version__,
        "git_sha": git_sha(),
        "command": list(options.command),
        "packages": _packages(),
        "hardware": _hardware(),
        "model": model_info(registry, model),
        "identity": identity(model, options, opened),
        "options": {"split": options.split, "data": data, "limit": options.limit},
        "tasks": {
            o.task.label: {
                "n_total": o.found.n_wanted * options.repeats,
                "chance": o.found.chance,
                "accepted": o.accepted,
                "revision": o.revision,
                "why_not": o.why_not,
            }
            for o in opened
        },
    }


def model_info(registry: Registry, model: Model) -> dict[str, Any]:
    """The model's entry in results."""
    info = model.identity()
    card = registry.model_files.get(model.name)
    known = {name: info.pop(name) for name in ("name", "backend", "checkpoint", "revision",
                                               "dialect", "decoding")}  # fmt: skip
    sha256 = card and hashlib.sha256(card.read_bytes()).hexdigest()
    return {**known, "card_sha256": sha256, "settings": info}


def count(out: Path, opened: Sequence[Opened]) -> results.Results:
    """Make `results.json` of a run folder from its manifest and records."""
    manifest = store.read_manifest(out)
    tallies = tally(store.read_records(out))
    tasks: dict[str, results.TaskResult] = {}
    for o in opened:
        if o.why_not is not None:
            tasks[o.task.label] = results.unavailable(o.task, o.split, o.why_not)
            continue
        told = manifest["tasks"][o.task.label]
        dataset = results.DatasetInfo(
            id=o.task.card.dataset.id,
            revision=told["revision"],
            fingerprint=o.found.fingerprint,
            accepted=told["accepted"],
            remarks=o.task.remarks(),
        )
        prompt_sha256 = manifest["identity"]["tasks"][o.task.label]["prompt_sha256"]
        context = results.TaskContext(
            o.task, o.split, told["n_total"], told["chance"], dataset, prompt_sha256
        )
        tasks[o.task.label] = results.task_result(context, tallies.get(o.task.label, Tally()))
    info = {k: manifest[k] for k in ("created", "er_bench_version", "git_sha", "command",
                                     "packages", "hardware")}  # fmt: skip
    made = results.Results(
        run=results.RunInfo(id=out.resolve().name, **info),
        model=results.ModelInfo(**manifest["model"]),
        tasks=tasks,
        summary=results.summary(tasks),
    )
    made.write(out)
    return made


def git_sha() -> str | None:
    """Commit of the checkout that er-bench runs from, or None."""
    root = Path(er_bench.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    done = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _hardware() -> dict[str, str]:
    facts = {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": str(os.cpu_count()),
        "python": platform.python_version(),
    }
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        facts["accelerator"] = torch.cuda.get_device_name(0)
    return facts
