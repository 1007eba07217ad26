"""`results.json`: one typed model of it, its JSON schema, and how it is made from records."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from er_bench.core.errors import StoreError
from er_bench.core.task import Aggregate, Scored, Task
from er_bench.report import statistics
from er_bench.report.tally import Tally

SCHEMA_VERSION = "1.0"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RunInfo(_Part):
    """Who, when, with what."""

    id: str = Field(description="Name of the run folder")
    created: str = Field(description="When the run began, ISO 8601, UTC")
    er_bench_version: str
    git_sha: str | None = Field(description="Commit of er-bench, if run from a checkout")
    command: list[str] = Field(description="The command line")
    packages: dict[str, str] = Field(description="Versions of the packages that were in use")
    hardware: dict[str, str] = Field(description="Platform, processor, accelerator")


class ModelInfo(_Part):
    """The model, as it was asked."""

    name: str
    card_sha256: str | None = Field(description="SHA-256 of the model card; null without one")
    checkpoint: str
    revision: str | None
    backend: str
    dialect: str = Field(description="How the model writes points and boxes")
    decoding: dict[str, Any] = Field(description="Settings from card and command line")
    settings: dict[str, Any] = Field({}, description="Other settings that may change answers")


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


class TaskResult(_Part):
    """One task of a run. Scores are fractions in [0, 1]."""

    status: Literal["complete", "incomplete", "unavailable"]
    why: str | None = Field(description="What is missing, unless complete")
    split: str = Field(
        description="official or mini, with [:N] for its first N rows; custom: accepted other data"
    )
    protocol: str
    metric: str
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
    n_clusters: int
    by_category: dict[str, float]
    robust_by_category: dict[str, float]
    means: dict[str, float] = Field(
        default={}, description="Means to be read beside the score, each in its own unit"
    )
    comparable: list[str] = Field([], description="Reported columns this may stand beside")
    chance: float | None = Field(description="Expected score of a uniform guess, where defined")
    dataset: DatasetInfo
    prompt_sha256: str
    tokens: Tokens
    seconds: float = Field(description="Sum over samples, waiting included")


class Summary(_Part):
    """Over the tasks of the run."""

    average: float | None = Field(description="Mean of the scores of the tasks that have one")
    stderr: float | None = Field(None, description="Standard error of that mean, tasks independent")
    n_tasks: int = Field(description="Tasks in that mean")
    complete: bool


class Results(_Part):
    """The whole file."""

    schema_version: str = SCHEMA_VERSION
    run: RunInfo
    model: ModelInfo
    tasks: dict[str, TaskResult]
    summary: Summary

    def write(self, folder: Path) -> Path:
        """Write `results.json` whole or not at all."""
        from er_bench.run.store import write_json

        path = folder / "results.json"
        write_json(path, self.model_dump(mode="json", by_alias=True))
        return path


def read_results(folder: Path) -> Results:
    """The results of a run folder, or of a results file. Raises StoreError."""
    path = folder / "results.json" if folder.is_dir() else folder
    try:
        return Results.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read as results: {error}") from error


def json_schema() -> str:
    """The JSON schema of `results.json`, as committed in `docs/results.schema.json`."""
    return json.dumps(Results.model_json_schema(by_alias=True), indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What is known of a task besides its records."""

    task: Task
    split: str
    n_total: int
    chance: float | None
    dataset: DatasetInfo
    prompt_sha256: str


def task_result(context: TaskContext, counted: Tally) -> TaskResult:
    """One task's numbers. A task with nothing scored has no score, never a zero."""
    task, scored = context.task, counted.scored
    n = {status: counted.statuses[status] for status in ("data_error", "model_error", "env_error")}
    n_left_out = sum(s.score.official is None for s in scored)
    official, robust = task.aggregate(scored), task.aggregate(scored, "robust")
    estimate = _estimate(task, scored, official)
    complete = len(scored) == context.n_total
    return TaskResult(
        status="complete" if complete else "incomplete",
        why=None if complete else _why(counted, context.n_total),
        split=context.split,
        protocol=task.protocol,
        metric=task.card.metric.name,
        score=_number(official.score),
        robust_score=_number(robust.score),
        stderr=estimate.stderr,
        ci95=estimate.ci95,
        n_total=context.n_total,
        n_scored=len(scored),
        n_unparsed=counted.n_unparsed,
        n_format_failures=sum(s.score.official != s.score.robust for s in scored),
        n_left_out=n_left_out,
        n_data_error=n["data_error"],
        n_model_error=n["model_error"],
        n_env_error=n["env_error"],
        n_truncated=counted.n_truncated,
        n_clusters=estimate.n_clusters,
        by_category=_numbers(official.by_category),
        robust_by_category=_numbers(robust.by_category),
        means=_numbers(official.means),
        comparable=task.card.comparable if context.split == "official" else [],
        chance=context.chance,
        dataset=context.dataset,
        prompt_sha256=context.prompt_sha256,
        tokens=Tokens.model_validate(counted.tokens),
        seconds=round(counted.seconds, 3),
    )


def _estimate(task: Task, scored: Sequence[Scored], official: Aggregate) -> statistics.Estimate:
    if task.card.metric.aggregate == "mean":
        kept = [(s.score.official, s.cluster) for s in scored if s.score.official is not None]
        return statistics.mean_estimate([v for v, _ in kept], [c for _, c in kept])
    return statistics.bootstrap_estimate(
        scored, [s.cluster for s in scored], lambda drawn: task.aggregate(drawn).score
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _numbers(by_category: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in by_category.items() if not math.isnan(value)}


def _why(counted: Tally, n_total: int) -> str:
    parts = [f"{len(counted.scored)} of {n_total} samples scored"]
    for status, error in counted.first_errors.items():
        parts.append(f"{counted.statuses[status]} {status}, the first: {error}")
    return "; ".join(parts)


def unavailable(task: Task, split: str, why: str) -> TaskResult:
    """The result of a task that cannot run here: no number at all."""
    dataset = DatasetInfo(
        id=task.card.dataset.id, revision=None, fingerprint="", accepted=[], remarks=[]
    )
    context = TaskContext(task, split, 0, None, dataset, "")
    return task_result(context, Tally()).model_copy(update={"status": "unavailable", "why": why})


def summary(tasks: Mapping[str, TaskResult]) -> Summary:
    """The mean over the tasks that have a score, and whether all of them are complete."""
    estimates = [
        statistics.Estimate(t.score, t.stderr, t.ci95, t.n_scored, t.n_clusters)
        for t in tasks.values()
        if t.score is not None
    ]
    average = statistics.average_of_tasks(estimates)
    return Summary(
        average=_number(average.value),
        stderr=average.stderr,
        n_tasks=len(estimates),
        complete=all(t.status == "complete" for t in tasks.values()),
    )


if __name__ == "__main__":
    Path("docs/results.schema.json").write_text(json_schema(), encoding="utf-8")
