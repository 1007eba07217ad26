"""Results made of records: counted, estimated, and compared with those of before."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from er_bench.core.errors import StoreError
from er_bench.core.manifest import Manifest
from er_bench.core.paths import resolved
from er_bench.core.record import Record, RecordStatus
from er_bench.core.score import Aggregate, Scored
from er_bench.core.task import OFFICIAL, ROBUST, AnyTask
from er_bench.report import statistics
from er_bench.report.counted import Counted, count
from er_bench.report.results import (
    DatasetInfo,
    ReadingResult,
    RepeatVariance,
    Results,
    RunEntry,
    Summary,
    TaskResult,
    Tokens,
)

BEYOND_SENSE = 1e12
"""Scores are fractions, parts are counts, seconds, metres: none is larger."""


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What is known of a task besides its records."""

    task: AnyTask
    split: str
    fingerprint: str
    why_not: str | None = None


def make_results(
    folder: Path,
    manifest: Manifest,
    contexts: Sequence[TaskContext],
    records: Iterable[Record],
    name: str | None = None,
) -> Results:
    """The results of a run from its manifest and records, written into its folder.

    `name` is the folder's in the end, where that is another one.
    """
    made = results_of(folder, manifest, contexts, records, name)
    made.write(folder)
    return made


def results_of(
    folder: Path,
    manifest: Manifest,
    contexts: Sequence[TaskContext],
    records: Iterable[Record],
    name: str | None = None,
) -> Results:
    """The results of a run from its manifest and the records that there are."""
    counted = count(_judged(records, folder))
    tasks = {
        c.task.label: task_result(c, manifest, counted.get(c.task.label, Counted()))
        for c in contexts
    }
    return Results(
        run=RunEntry(id=name or resolved(folder).name, **manifest.info.model_dump()),
        model=manifest.model,
        tasks=tasks,
        summary=summary(tasks),
    )


def _judged(records: Iterable[Record], folder: Path) -> Iterator[Record]:
    """Records whose judgement can be counted. Raises StoreError for one without or beyond sense."""
    for record in records:
        numbers = [
            v for verdict in record.judgement.values() for v in (verdict.score,
                                                                 *verdict.parts.values())
        ]  # fmt: skip
        if record.status is RecordStatus.SCORED and (
            OFFICIAL not in record.judgement or any(abs(v or 0.0) > BEYOND_SENSE for v in numbers)
        ):
            raise StoreError(
                f"{folder}: the record of task {record.task}, id {record.id!r} has no judgement "
                f"that can be counted; judge the run again: er-bench score --run {folder}"
            )
        yield record


def task_result(context: TaskContext, manifest: Manifest, counted: Counted) -> TaskResult:
    """One task's numbers. A task with nothing scored has no score, never a zero."""
    task, label = context.task, context.task.label
    told, identity = manifest.tasks[label], manifest.identity.tasks.get(label)
    n = counted.statuses
    all_scored = n[RecordStatus.SCORED] == told.n_total > 0
    few = _too_few(context, counted) if manifest.shard is None else None
    complete = all_scored and manifest.shard is None and few is None
    names = [name for name in task.readings if name in counted.scored or name in (OFFICIAL, ROBUST)]
    estimates = {name: _estimate(task, name, counted.of(name)) for name in names}
    readings = {name: _reading_result(task, name, counted, estimates[name]) for name in names}
    official = readings[OFFICIAL]
    why = context.why_not or (None if complete else _why(counted, told.n_total))
    if few and not context.why_not:
        why = few if all_scored else f"{why}; {few}"
    if manifest.shard is not None and not context.why_not:
        part = f"part {manifest.shard.index} of {manifest.shard.of}; er-bench merge makes the run"
        why = part if all_scored else f"{part}; {why}"
    return TaskResult(
        status="unavailable" if context.why_not else "complete" if complete else "incomplete",
        why=why,
        split=context.split,
        protocol=task.protocol,
        metric=task.card.metric.name,
        lower_is_better=task.readings[OFFICIAL].lower_is_better,
        score=official.score,
        robust_score=readings[ROBUST].score,
        stderr=official.stderr,
        ci95=official.ci95,
        n_total=told.n_total,
        n_scored=n[RecordStatus.SCORED],
        n_unparsed=official.n_unparsed,
        n_format_failures=counted.n_format_failures,
        n_left_out=official.n_left_out,
        n_data_error=n[RecordStatus.DATA_ERROR],
        n_model_error=n[RecordStatus.MODEL_ERROR],
        n_env_error=n[RecordStatus.ENV_ERROR],
        n_truncated=counted.n_truncated,
        n_without_text=dict(sorted(counted.without_text.items())),
        n_clusters=estimates[OFFICIAL].n_clusters,
        repeat_variance=_repeat_variance(counted),
        readings=readings,
        comparable=task.card.comparable if context.split == "official" else [],
        chance=told.chance,
        dataset=DatasetInfo(
            id=task.card.dataset.id,
            revision=told.revision,
            fingerprint=context.fingerprint,
            accepted=told.accepted,
            remarks=[] if context.why_not else task.remarks(),
        ),
        prompt_sha256=identity.prompt_sha256 if identity else "",
        tokens=Tokens.model_validate({"in": counted.tokens_in, "out": counted.tokens_out}),
        seconds=round(math.fsum(counted.seconds), 3),
    )


def _too_few(context: TaskContext, counted: Counted) -> str | None:
    """What an official split lacks in trials, where its card asks for a number of them."""
    least = context.task.card.metric.least_trials
    if context.split != "official" or not least:
        return None
    trials = Counter(s.category for s in counted.of(OFFICIAL))
    few = min(trials, key=lambda category: (trials[category], category), default=None)
    if few is None or trials[few] >= least:
        return None
    return f"{trials[few]} trials of {few}; an official split has at least {least} (--repeats)"


def _reading_result(
    task: AnyTask, name: str, counted: Counted, estimate: statistics.Estimate
) -> ReadingResult:
    reading, scored = task.readings[name], counted.of(name)
    made = reading.aggregate(scored)
    return ReadingResult(
        score=_number(made.score),
        stderr=estimate.stderr,
        ci95=estimate.ci95,
        n_unparsed=counted.n_unparsed[name],
        n_left_out=sum(s.score is None for s in scored),
        categories=_numbers(made.categories),
        metrics=_numbers(made.metrics),
        lower_is_better=reading.lower_is_better,
        reader=reading.reader,
        rule=reading.rule,
        source=reading.source,
    )


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is compared of a task whose records are judged anew."""

    n_scored: int
    readings: Mapping[str, Mapping[str, object]]
    """By reading: score, n_unparsed, categories."""


def numbers(counted: Mapping[str, Counted], tasks: Sequence[AnyTask]) -> dict[str, Numbers]:
    """The numbers of records that were counted, by the task's label."""
    found = {}
    for task in tasks:
        seen, readings = counted.get(task.label, Counted()), {}
        for name in [name for name in task.readings if name in seen.scored]:
            made = task.readings[name].aggregate(seen.of(name))
            readings[name] = {
                "score": _number(made.score),
                "n_unparsed": seen.n_unparsed[name],
                "categories": _numbers(made.categories),
            }
        found[task.label] = Numbers(seen.statuses[RecordStatus.SCORED], readings)
    return found


def changed_numbers(before: Mapping[str, Numbers], after: Results) -> list[str]:
    """A line for every number of a task that is another one after its records were judged anew."""
    lines = []
    for label, old in before.items():
        new = after.tasks[label]
        if old.n_scored != new.n_scored:
            lines.append(f"{label}: n_scored was {old.n_scored}, is {new.n_scored}")
        for name in [name for name in new.readings if name in old.readings]:
            what = "" if name == OFFICIAL else f"{name} "
            for number, was in old.readings[name].items():
                is_now = getattr(new.readings[name], number)
                if was != is_now and number == "categories":
                    lines.append(f"{label}: {what}categories were others")
                elif was != is_now:
                    lines.append(f"{label}: {what}{number} was {was}, is {is_now}")
    return lines


def _repeat_variance(counted: Counted) -> RepeatVariance | None:
    found = statistics.repeat_variance(counted.by_sample(OFFICIAL))
    return None if found is None else RepeatVariance(within=found[0], between=found[1])


def _estimate(task: AnyTask, name: str, scored: Sequence[Scored]) -> statistics.Estimate:
    if task.card.metric.aggregate == "mean":
        kept = [(s.score, s.cluster) for s in scored if s.score is not None]
        return statistics.mean_estimate([v for v, _ in kept], [c for _, c in kept])
    aggregate = task.readings[name].aggregate

    def headline(drawn: Sequence[Scored]) -> float:
        made: Aggregate = aggregate(drawn)
        return made.score

    return statistics.bootstrap_estimate(scored, [s.cluster for s in scored], headline)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _numbers(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _why(counted: Counted, n_total: int) -> str:
    if not n_total:
        return "there are no rows to run"
    parts = [f"{counted.statuses[RecordStatus.SCORED]} of {n_total} samples scored"]
    for status, error in counted.first_errors.items():
        parts.append(f"{counted.statuses[status]} {status}, the first: {error}")
    return "; ".join(parts)


def summary(tasks: Mapping[str, TaskResult]) -> Summary:
    """The mean over the tasks that have a score, and whether all of them are complete."""
    estimates = [
        statistics.Estimate(t.score, t.stderr, t.ci95, t.n_scored, t.n_clusters)
        for t in tasks.values()
        if t.score is not None and not t.lower_is_better
    ]
    average = statistics.average_of_tasks(estimates)
    return Summary(
        average=_number(average.value),
        stderr=average.stderr,
        n_tasks=len(estimates),
        complete=bool(tasks) and all(t.status == "complete" for t in tasks.values()),
    )
