"""Scores that somebody published, as data: `models/reported/<source>.yaml`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from er_bench.core.errors import ConfigError
from er_bench.core.registry import unknown
from er_bench.core.yaml_files import faults, read_yaml

REPORTED = Path(__file__).parent.parent / "models" / "reported"
COLUMNS = REPORTED.with_name("reported_columns.yaml")


class Reported(BaseModel):
    """One source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    source: str
    date: str
    protocol: str = Field(description="How the numbers were made, as far as is known")
    second_hand: bool = Field(
        False, description="Whether the numbers were seen in somebody's copy, not where published"
    )
    unit: Literal["percent"]
    decimals: int | None = Field(None, description="Printed digits after the point; null: all")
    columns: list[str] = Field(
        description="Tasks, and parts of them behind a point; also what er-bench does not have"
    )
    doubts: dict[str, dict[str, str]] = Field(
        {}, description="By model and column: why a number may be wrong"
    )
    rows: dict[str, list[float | None]]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for model, scores in self.rows.items():
            if len(scores) != len(self.columns):
                raise ValueError(f"{model}: {len(scores)} scores for {len(self.columns)} columns")
        for model, told in self.doubts.items():
            if model not in self.rows or not told.keys() <= set(self.columns):
                raise ValueError(f"doubts about {model}: no such row or column")
        return self

    @property
    def how(self) -> str:
        """How the numbers were made, and whether they were copied by somebody."""
        return f"Second-hand. {self.protocol}" if self.second_hand else self.protocol

    def printed(self, value: float) -> str:
        """A number with the digits that the source has."""
        return f"{value:g}" if self.decimals is None else f"{value:.{self.decimals}f}"

    def cells(self, model: str) -> Mapping[str, float]:
        """A model's scores by column, percent."""
        scores = zip(self.columns, self.rows[model], strict=True)
        return {column: score for column, score in scores if score is not None}


class Columns(BaseModel):
    """`models/reported_columns.yaml`: what is known of the columns of all sources."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    counts: dict[str, int] = Field(description="How many questions a column has")
    totals: dict[str, Literal["weighted", "mean"]] = Field(
        description="How a column is made of its parts, whose names begin with its own"
    )


def read_columns() -> Columns:
    """What is known of the columns."""
    return Columns.model_validate(read_yaml(COLUMNS, "file of columns"))


def reported_sources() -> dict[str, Path]:
    """Every source of reported scores, by name."""
    return {path.stem: path for path in sorted(REPORTED.glob("*.yaml"))}


def read_reported(name: str) -> Reported:
    """One source. Raises UsageError that lists the sources, ConfigError for a damaged file."""
    sources = reported_sources()
    if name not in sources:
        raise unknown("source of reported scores", name, sources)
    try:
        return Reported.model_validate(read_yaml(sources[name], "source of scores"))
    except ValidationError as error:
        raise ConfigError(f"{sources[name]}: {faults(error)}") from error


def same_model(name: str) -> str:
    """A model's name without case, signs, dates and words that sources add or leave out."""
    text = re.sub(r"[^a-z0-9.]", "", name.lower())
    text = re.sub(r"(preview)?(20\d{6}|20\d\d-?\d\d-?\d\d|\d{4}(?=$))", "", text)
    return re.sub(r"(instruct|ins|preview|0[45]\d\d)$", "", text)
