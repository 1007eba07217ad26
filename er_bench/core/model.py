"""A model: something that answers prompts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from er_bench.core.completion import Completion
from er_bench.core.dialect import BENCHMARK, AnyDialect
from er_bench.core.prompt import Decoding, Prompt
from er_bench.core.sample import Sample

if TYPE_CHECKING:
    from er_bench.core.task import Task


class Ask(Protocol):
    """What a task is given to reach the model: retries, limits and recording are behind it."""

    @property
    def dialect(self) -> AnyDialect:
        """How the model writes points and boxes."""

    async def __call__(self, prompt: Prompt) -> Completion:
        """Ask once. Raises ModelError when the request failed for good."""


class Model(ABC):
    """Sends one prompt, returns one completion. Batching is its own affair; retries are not.

    A subclass reads media off the event loop, and raises ModelError (`retryable` when the same
    request may succeed later) or DataError (media that cannot be read).
    """

    name: str
    dialect: AnyDialect = BENCHMARK
    concurrency: int = 16
    """How many samples to keep in flight, unless the user says."""
    request_timeout_s: float | None = None
    """How long one request may take, unless the user says; None for models in this process."""

    @abstractmethod
    async def ask(self, prompt: Prompt) -> Completion:
        """Answer one prompt."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What must stay the same for a run to be resumed: checkpoint, revision, decoding, ..."""

    def bind(
        self, task: Task, sample: Sample, repeat: int
    ) -> Callable[[Prompt], Awaitable[Completion]]:
        """How this model answers prompts about one sample.

        A real model answers by the prompt alone; reference models look at the truth, and stored
        answers are found by the sample's id.
        """
        del task, sample, repeat
        return self.ask

    def unable(self, task: Task) -> str | None:
        """Why this model cannot answer a task at all; None if it can."""
        del task
        return None

    async def close(self) -> None:
        """Let go of connections, processes and memory."""
        return None


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How a backend is to run one model; built from the card and the command line."""

    name: str
    """What results call the model: the card's name, or `backend/ID`."""
    checkpoint: str
    """Hub id, folder, or the name that the server knows."""
    revision: str | None
    dialect: AnyDialect
    card_decoding: Decoding
    """The card's defaults, used where neither the task nor the command line decides."""
    forced_decoding: Decoding
    """`--gen-args`: wins over the task and the card."""
    args: dict[str, Any]
    """Backend settings: the card's `args`, then `--model-args`."""
    seed: int = 0
    """Seed of a model that draws its answers itself (the reference models)."""

    def decoding(self, prompt: Prompt) -> Decoding:
        """The limits in force for a prompt: command line, then task, then card."""
        return self.forced_decoding.over(prompt.decoding).over(self.card_decoding)

    def identity(self, backend: str, **more: Any) -> dict[str, Any]:
        """What every backend's `Model.identity` holds, and what this one adds."""
        return {
            "name": self.name,
            "backend": backend,
            "checkpoint": self.checkpoint,
            "revision": self.revision,
            "dialect": self.dialect.name,
            "decoding": {
                "card": self.card_decoding.to_dict(),
                "forced": self.forced_decoding.to_dict(),
            },
            **more,
        }
