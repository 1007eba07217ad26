"""`results.json`: one typed model of it, its reader and its JSON schema."""

from __future__ import annotations

import json
from os.path import isdir
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from er_bench.core.errors import StoreError
from er_bench.core.manifest import ModelInfo
from er_bench.data.files import write_json

SCHEMA_VERSION = "2.0"
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
