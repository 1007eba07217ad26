"""Scoring without a model: stored completions go through the same tasks, runner and store."""

from __future__ import annotations

from pathlib import Path

from er_bench.core import registry
from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import DataError, StoreError
from er_bench.core.registry import Registry
from er_bench.report import results
from er_bench.run import evaluate, store, stored


def run_again(
    names: Registry, run: Path, out: Path, *, data: Path | None
) -> tuple[results.Results, list[str]]:
    """Score a run again into `out`. Returns its results and a line for every changed score.

    Raises:
        StoreError: `run` is no run folder, or `out` holds a run already.
        DataError: the rows are no longer those that the run used.
    """
    manifest = store.read_manifest(run)
    told, tasks = manifest["options"], manifest["identity"]["tasks"]
    given = data or (Path(told["data"]) if told["data"] else None)
    options = evaluate.Options(
        tasks=list(tasks), split=told["split"], data=given, limit=told["limit"],
        repeats=manifest["identity"]["repeats"], seed=manifest["identity"]["seed"],
        accept_data=True, command=manifest["command"],
    )  # fmt: skip
    dialect = registry.dialect(manifest["model"]["dialect"])
    model = stored.from_run(run, manifest, dialect)
    opened = evaluate.open_tasks(names, model, options, lambda line: None, media=False)
    for o in opened:
        then, now = tasks[o.task.label]["data_fingerprint"], o.found.fingerprint
        if then != now:
            raise DataError(
                f"{o.task.label}: these rows are not the ones of the run: "
                f"fingerprint {now}, in the run {then}; give the run's data with --data",
                file=o.task.root,
            )
        o.found.prompt_sha256 = tasks[o.task.label]["prompt_sha256"]
    made = evaluate.run(names, model, options, out, resume=False, opened=opened)
    return made, _changed(results.read_results(run), made)


def _changed(before: results.Results, after: results.Results) -> list[str]:
    lines = []
    for name, task in after.tasks.items():
        old = before.tasks.get(name)
        if old is None:
            raise StoreError(f"the run's results have no task {name!r}")
        for what in ("score", "robust_score", "by_category", "n_scored", "n_unparsed"):
            then, now = getattr(old, what), getattr(task, what)
            if then != now:
                lines.append(f"{name}: {what} was {then}, is {now}")
    return lines


def responses(
    names: Registry,
    task: str,
    file: Path,
    out: Path,
    *,
    data: Path | None,
    split: str,
    dialect_name: str | None,
    accept_data: bool,
) -> results.Results:
    """Score answers made elsewhere. Samples without an answer are not scored.

    Raises DataError for a damaged file, and for answers to samples that do not exist.
    """
    (word,) = names.select(task)
    dialect = registry.dialect(dialect_name or BENCHMARK.name)
    options = evaluate.Options(tasks=[word], split=split, data=data, accept_data=accept_data)
    model = stored.from_responses(file, word, dialect)
    opened = evaluate.open_tasks(names, model, options, lambda line: None, media=False)
    opened_task = opened[0].task
    answered = sum(model.record(opened_task, s, 0) is not None for s in opened_task.samples())
    if answered < len(model):
        known = {s.id for s in opened_task.samples()}
        unknown = [i for i in stored.answered_ids(file) if i not in known]
        raise DataError(
            f"{len(unknown)} answers are to samples that {word} does not have: "
            f"{', '.join(unknown[:5])}",
            file=file,
            field="id",
        )
    return evaluate.run(names, model, options, out, resume=False, opened=opened)
