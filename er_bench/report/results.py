"""`results.json`: one typed model of it, its JSON schema, and how it is made from records."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import isdir
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from er_bench.core.errors import StoreError
from er_bench.core.manifest import Manifest, ModelInfo
from er_bench.core.record import Record, RecordStatus
from er_bench.core.score import Aggregate, Scored
from er_bench.core.task import OFFICIAL, ROBUST, AnyTask
from er_bench.data.files import write_json
from er_bench.report import statistics
from er_bench.report.counted import Counted, count

SCHEMA_VERSION = "2.0"
BEYOND_SENSE = 1e12
"""Scores are fractions, parts are counts, seconds, metres: none is larger."""
FILE = "results.json"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RunEntry(_Part):
    """Who, when, with what."""

    id: str = Field(description="Name of the run folder")
    name: str = Field("", description="What the user calls the run; empty: after its model")
    created: str = Field(description="When the run began, ISO 8601, UTC")
    er_bench_version: str
    git_sha: str | None = Field(description="Commit of er-bench, if run from a checkout")
    command: list[str] = Field(description="The command line")
    packages: dict[str, str] = Field(description="Versions of the packages that were in use")
    hardware: dict[str, str] = Field(description="Platform, processor, accelerator")


class DatasetInfo(_Part):
    """The rows that were used."""

    id: str | None
    revision: str | None
    fingerprint: str = Field(
        description="Sum modulo 2^256 of each row's SHA-256 over id, category, texts and truth"
    )
    remarks: list[str] = Field([], description="What about these rows changes what a score means")
    accepted: list[str] = Field(
        [], description="Differences from the task card that --accept-data let pass"
    )


class Tokens(_Part):
    """Token counts, as the backend reports them; null when it does not."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    in_: int | None = Field(alias="in")
    out: int | None


LOWER = "\N{DOWNWARDS ARROW}"
"""Marks a number of which less is better; it is in no average."""


class ReadingResult(_Part):
    """The numbers of one reading: its reader, its rule and its aggregate."""

    score: float | None = Field(description="Headline; null: not measured")
    stderr: float | None = Field(description="Clustered standard error of the headline")
    ci95: tuple[float, float] | None = Field(description="95% interval of the headline")
    n_unparsed: int = Field(description="Scored samples whose answer could not be read: score 0")
    n_left_out: int = Field(description="Scored samples that the reading's mean leaves out")
    categories: dict[str, float] = Field(description="The headline in each category")
    metrics: dict[str, float] = Field(description="Other numbers by name, each in its own unit")
    lower_is_better: bool = Field(False, description="Whether 0 is the best headline")
    reader: str = Field(description="How answers are read")
    rule: str = Field(description="How they are scored")
    source: str = Field(description="Where both were read")


class RepeatVariance(_Part):
    """Where the scatter of scores comes from, in runs that ask each sample several times."""

    within: float = Field(description="Variance between repeats of a sample: repeats lower it")
    between: float = Field(description="Variance between samples: only more samples lower it")


class TaskResult(_Part):
    """One task of a run. Scores are fractions in [0, 1]."""

    status: Literal["complete", "incomplete", "unavailable"]
    why: str | None = Field(description="What is missing, unless complete")
    split: str = Field(
        description="official or mini, with [:N] for its first N rows; custom: accepted other data"
    )
    protocol: str
    metric: str
    lower_is_better: bool = Field(False, description="Whether 0 is the best headline")
    score: float | None = Field(description="Headline by the released code; null: not measured")
    robust_score: float | None = Field(description="Headline with the best reader")
    stderr: float | None = Field(description="Clustered standard error of the headline")
    ci95: tuple[float, float] | None = Field(description="95% interval of the headline")
    n_total: int
    n_scored: int
    n_unparsed: int = Field(description="Scored samples whose answer could not be read: score 0")
    n_format_failures: int = Field(description="Samples where official and robust score differ")
    n_left_out: int = Field(description="Scored samples that the released code leaves out")
    n_data_error: int
    n_model_error: int
    n_env_error: int
    n_truncated: int = Field(description="Samples with a completion cut at the token limit")
    n_without_text: dict[str, int] = Field(
        {},
        description="Samples with a completion that has no text, by why: refusal, content_filter, "
        "tool_calls, length, empty, or the server's own word",
    )
    n_clusters: int
    repeat_variance: RepeatVariance | None = Field(
        None, description="Of the headline's scores; null without repeats"
    )
    readings: dict[str, ReadingResult] = Field(
        description="Every published way of making the number, from the same records"
    )
    comparable: list[str] = Field([], description="Reported columns this may stand beside")
    chance: float | None = Field(description="Expected score of a uniform guess, where defined")
    dataset: DatasetInfo
    prompt_sha256: str
    tokens: Tokens
    seconds: float = Field(description="Sum over samples, waits between tries left out")


class Summary(_Part):
    """Over the tasks of the run."""

    average: float | None = Field(
        description="Mean of the scores of the tasks that have one, those left out where lower is "
        "better"
    )
    stderr: float | None = Field(None, description="Standard error of that mean, tasks independent")
    n_tasks: int = Field(description="Tasks in that mean")
    complete: bool


class Results(_Part):
    """The whole file."""

    schema_version: str = SCHEMA_VERSION
    run: RunEntry
    model: ModelInfo
    tasks: dict[str, TaskResult]
    summary: Summary

    def write(self, folder: Path) -> Path:
        """Write `results.json` whole or not at all."""
        write_json(folder / FILE, self.model_dump(mode="json", by_alias=True))
        return folder / FILE


def run_folders(path: Path) -> list[Path]:
    """The run in a folder, or those in the folders in it; the path itself where there is none."""
    if not isdir(path) or (path / FILE).exists():
        return [path]
    return sorted(found.parent for found in path.glob(f"*/{FILE}")) or [path]


def read_results(folder: Path) -> Results:
    """The results of a run folder, or of a results file. Raises StoreError."""
    path = folder / FILE if isdir(folder) else folder
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.get("schema_version") if isinstance(content, dict) else None
        if version == "1.0":
            raise StoreError(
                f"{path} was made by an earlier er-bench; bring it up to date with: "
                f"er-bench score --run {path.parent}"
            )
        if version not in (None, SCHEMA_VERSION):
            raise StoreError(
                f"{path} was made by a newer er-bench (results {version}, this one reads "
                f"{SCHEMA_VERSION}); update: pip install --upgrade er-bench"
            )
        return Results.model_validate(content)
    except FileNotFoundError:
        at = f"holds no {FILE}; make it with: er-bench score --run {folder}"
        raise StoreError(f"{folder} {at if isdir(folder) else 'is not there'}") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        why = " ".join(str(error).split())[:300]
        raise StoreError(
            f"{path} cannot be read as results: {why}; make them of the run's records with: "
            f"er-bench score --run {path.parent}"
        ) from error


def json_schema() -> dict[str, object]:
    """The JSON schema of `results.json`, as committed in `docs/results.schema.json`."""
    return Results.model_json_schema(by_alias=True)


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What is known of a task besides its records."""

    task: AnyTask
    split: str
    fingerprint: str
    why_not: str | None = None


def make_results(
    folder: Path, manifest: Manifest, contexts: Sequence[TaskContext], records: Iterable[Record]
) -> Results:
    """The results of a run from its manifest and records, written into its folder."""
    made = results_of(folder, manifest, contexts, records)
    made.write(folder)
    return made


def results_of(
    folder: Path, manifest: Manifest, contexts: Sequence[TaskContext], records: Iterable[Record]
) -> Results:
    """The results of a run from its manifest and the records that there are."""
    counted = count(_judged(records, folder))
    tasks = {
        c.task.label: task_result(c, manifest, counted.get(c.task.label, Counted()))
        for c in contexts
    }
    return Results(
        run=RunEntry(id=folder.resolve().name, **manifest.info.model_dump()),
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
    complete = n[RecordStatus.SCORED] == told.n_total > 0
    names = [name for name in task.readings if name in counted.scored or name in (OFFICIAL, ROBUST)]
    estimates = {name: _estimate(task, name, counted.of(name)) for name in names}
    readings = {name: _reading_result(task, name, counted, estimates[name]) for name in names}
    official = readings[OFFICIAL]
    why = context.why_not or (None if complete else _why(counted, told.n_total))
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
