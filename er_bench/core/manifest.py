"""`manifest.json`: what a run is, written before its first request."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ModelInfo(_Part):
    """The model, as it was asked."""

    name: str
    card_sha256: str | None = Field(description="SHA-256 of the model card; null without one")
    checkpoint: str
    revision: str | None
    backend: str
    dialect: str = Field(description="How the model writes points and boxes")
    decoding: dict[str, JsonValue] = Field(description="Settings from card and command line")
    settings: dict[str, JsonValue] = Field({}, description="Other settings that may change answers")


class RunInfo(_Part):
    """When, with what."""

    name: str = Field("", description="What the user calls the run; empty: after its model")
    created: str = Field(description="When the run began, ISO 8601, UTC")
    er_bench_version: str
    git_sha: str | None = Field(description="Commit of er-bench, if run from a checkout")
    command: list[str] = Field(description="The command line")
    packages: dict[str, str] = Field(description="Versions of the packages that were in use")
    hardware: dict[str, str] = Field(description="Platform, processor, accelerator")


class TaskIdentity(_Part):
    """What must be equal of a task for a run to be continued."""

    split: str
    protocol: str
    rows: int
    data_fingerprint: str
    prompt_sha256: str
    media_fingerprint: str = Field(
        "", description="Of pictures, videos and masks; empty without any, and in older runs"
    )


class Identity(_Part):
    """What must be equal for a run to be continued."""

    model: dict[str, JsonValue]
    tasks: dict[str, TaskIdentity] = Field(description="By the task's label")
    repeats: int
    seed: int


class Rows(_Part):
    """Which rows were asked for on the command line."""

    split: str
    data: str | None
    limit: int | None


class TaskPlan(_Part):
    """One task of the run."""

    n_total: int = Field(description="Samples that are to run, repeats counted")
    chance: float | None = Field(description="Expected score of a uniform guess, where defined")
    accepted: list[str] = Field(description="Differences from the card that were let pass")
    revision: str | None = Field(description="Commit of the hub data set")
    why_not: str | None = Field(description="Why the task cannot run here")
    root: str = Field("", description="The folder of its rows")


class Shard(_Part):
    """Which part of a run a process takes: the `index`th, from 1, of `of`."""

    index: int
    of: int


class Manifest(_Part):
    """The whole file."""

    schema_version: str = "1.0"
    info: RunInfo
    model: ModelInfo
    identity: Identity
    options: Rows
    tasks: dict[str, TaskPlan] = Field(description="By the task's label")
    shard: Shard | None = Field(None, description="The part of the run; null: all of it")
