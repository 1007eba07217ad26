"""An outcome: what one sample came to, with everything needed to score it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from er_bench.core.answer import Answer
from er_bench.core.completion import Completion
from er_bench.core.sample import Sample
from er_bench.core.score import Score


class OutcomeStatus(StrEnum):
    """How a sample ended. Only `scored` has a score."""

    SCORED = "scored"
    DATA_ERROR = "data_error"
    MODEL_ERROR = "model_error"
    ENV_ERROR = "env_error"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of `records.jsonl`."""

    task: str
    id: str
    cluster: str
    category: str
    status: OutcomeStatus
    repeat: int = 0
    official_answer: Answer | None = None
    robust_answer: Answer | None = None
    score: Score | None = None
    completions: tuple[Completion, ...] = ()
    prompt_sha256: str = ""
    error: str = ""
    seconds: float = 0.0
    steps: tuple[Mapping[str, Any], ...] = ()
    """The environment's side of an episode, enough to replay it without a simulator."""

    @classmethod
    def scored(
        cls,
        task: str,
        sample: Sample,
        official: Answer,
        robust: Answer,
        score: Score,
        steps: tuple[Mapping[str, Any], ...] = (),
    ) -> Outcome:
        """The outcome of a sample that was answered and judged."""
        return cls(
            task=task,
            id=sample.id,
            cluster=sample.cluster,
            category=sample.category,
            status=OutcomeStatus.SCORED,
            official_answer=official,
            robust_answer=robust,
            score=score,
            steps=steps,
        )

    @classmethod
    def failed(cls, task: str, sample: Sample, status: OutcomeStatus, error: str) -> Outcome:
        """The outcome of a sample that has no score, and why."""
        return cls(
            task=task,
            id=sample.id,
            cluster=sample.cluster,
            category=sample.category,
            status=status,
            error=error,
        )

    def to_json(self) -> dict[str, Any]:
        """The record, one JSON object."""
        score = self.score
        record: dict[str, Any] = {
            "task": self.task,
            "id": self.id,
            "repeat": self.repeat,
            "cluster": self.cluster,
            "category": self.category,
            "status": str(self.status),
            "prompt_sha256": self.prompt_sha256,
            "completions": [c.to_json() for c in self.completions],
            "answer": {
                "official": self.official_answer and self.official_answer.to_json(),
                "robust": self.robust_answer and self.robust_answer.to_json(),
            },
            "score": score
            and {"official": score.official, "robust": score.robust, "parts": dict(score.parts)},
            "tokens": {
                "in": _total(c.tokens_in for c in self.completions),
                "out": _total(c.tokens_out for c in self.completions),
            },
            "seconds": round(self.seconds, 4),
        }
        if self.error:
            record["error"] = self.error
        if self.steps:
            record["steps"] = [dict(s) for s in self.steps]
        return record


def _total(counts: Any) -> int | None:
    known = [c for c in counts if c is not None]
    return sum(known) if known else None
