"""A record: one line of `records.jsonl`, all that happened on one sample of one run.

Committed as `docs/records.schema.json`. Fields at their default value are left out of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from er_bench.core.completion import Completion
from er_bench.core.geometry import Box, Point
from er_bench.core.rollout import Rollout
from er_bench.core.sample import MediaRef
from er_bench.core.score import Verdict

SCHEMA_VERSION = "2.0"
"""Of the records; it stands in the run's manifest."""

ELAPSED = "episode_elapsed_seconds"
"""The part of an episode's verdict that is a time."""
Key = tuple[str, str, int]
"""Task, sample id, repeat."""


class RecordStatus(StrEnum):
    """How a sample ended. Only `scored` has a judgement."""

    SCORED = "scored"
    DATA_ERROR = "data_error"
    MODEL_ERROR = "model_error"
    ENV_ERROR = "env_error"


@dataclass(frozen=True, slots=True)
class Truth:
    """The truth in forms that can be shown; what a task does not have stays empty."""

    text: str = ""
    """A letter, a number, a plan, a goal in words."""
    points_px_xy: tuple[Point, ...] = ()
    """True points, pixels of the original image."""
    boxes_px_xyxy: tuple[Box, ...] = ()
    """True boxes, pixels of the original image."""
    polygons_px: tuple[tuple[float, ...], ...] = ()
    """Outlines `(x1, y1, x2, y2, ..)` of the true region, pixels of the original image."""
    mask: MediaRef | None = None
    """The mask file of the true region."""
    trace_px_xy: tuple[Point, ...] = ()
    """A true path through the image, its points in order, pixels of the original image."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What people are shown of a sample: its question, options and truth."""

    question: str
    options: Mapping[str, str] = field(default_factory=dict)
    """Text of each option by its letter."""
    truth: Truth = Truth()


class Record(BaseModel):
    """One sample of one run, self-explaining."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")

    task: str = Field(description="Name of the task, with its protocol after an @")
    id: str
    repeat: int = Field(0, ge=0)
    cluster: str = Field(description="Samples of one cluster are not independent")
    category: str
    status: RecordStatus
    error: str = Field("", description="What went wrong, unless scored")
    question: str = Field("", description="The question as text")
    options: dict[str, str] = Field({}, description="Text of each option by its letter")
    truth: Truth = Field(Truth(), description="The truth, in forms that can be shown")
    media: tuple[MediaRef, ...] = Field((), description="The sample's pictures and videos")
    rollout: Rollout = Field(Rollout(), description="What was asked, answered and done")
    judgement: dict[str, Verdict] = Field({}, description="The verdict of each reading, by name")
    seconds: float = Field(
        0.0,
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="From the first request to the judgement, waits between tries left out",
    )

    @property
    def key(self) -> Key:
        """What the record is about."""
        return self.task, self.id, self.repeat

    def untimed(self) -> Record:
        """The record without what time it took: equal for two runs that went the same way."""
        turns = tuple(
            replace(
                turn,
                completion=replace(turn.completion, latency_s=0.0),
                steps=tuple(replace(step, sim_seconds=0.0) for step in turn.steps),
            )
            for turn in self.rollout.turns
        )
        judgement = {
            name: replace(verdict, parts={k: v for k, v in verdict.parts.items() if k != ELAPSED})
            for name, verdict in self.judgement.items()
        }
        rollout = replace(self.rollout, turns=turns, elapsed_s=None)
        told = {"rollout": rollout, "judgement": judgement, "seconds": 0.0}
        return self.model_copy(update=told)

    def completions(self) -> Iterator[Completion]:
        """Every completion, in order; a policy has none."""
        return (turn.completion for turn in self.rollout.turns if turn.control is None)

    @property
    def truncated(self) -> bool:
        """Whether a completion was cut at the token limit."""
        return any(c.finish_reason == "length" for c in self.completions())

    def to_line(self) -> str:
        """The record as it is kept, with its line end."""
        return self.model_dump_json(exclude_defaults=True) + "\n"


def json_schema() -> dict[str, object]:
    """The JSON schema of a line, as committed."""
    return Record.model_json_schema()
