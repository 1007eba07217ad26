"""What reference models need of a benchmark: a companion of its task, apart from it.

A task's folder brings it in `reference.py` as `REFERENCE`. Values are those of the benchmark:
points and boxes in pixels of the original image.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Generic

from er_bench.core.answer import Value
from er_bench.core.geometry import Size
from er_bench.core.sample import Sample, T
from er_bench.core.task import Task


class Reference(ABC, Generic[T]):
    """The right, random and blind answers to a task's samples, and how they are written."""

    def __init__(self, task: Task[T]) -> None:
        """Accompany a task, in whose dialect answers are written."""
        self.task = task

    @property
    def label(self) -> str:
        """The task's label."""
        return self.task.label

    def samples(self) -> Iterator[Sample[T]]:
        """The task's samples."""
        return self.task.samples()

    @abstractmethod
    def ideal(self, sample: Sample[T]) -> Value:
        """The truth as an answer value."""

    @abstractmethod
    def write(self, value: Value, sample: Sample[T]) -> str:
        """A value as a model with the task's dialect would write it, to be read back."""

    def random_value(self, sample: Sample[T], rng: random.Random) -> Value | None:
        """A random answer where the kind of answer is the task's own (a plan, a trace)."""
        return None

    def blind_value(self, sample: Sample[T]) -> Value | None:
        """The same of one who reads the words only; None for silence, or for a place as usual."""
        return None

    def letters(self, sample: Sample[T]) -> str:
        """The option letters of a multiple-choice sample; empty for other samples."""
        return "".join(self.task.shown(sample).options)

    def size_wh(self, sample: Sample[T]) -> Size | None:
        """Size of the image that points and boxes refer to, if the sample asks for any."""
        return None

    def objects(self, sample: Sample[T]) -> Sequence[Value]:
        """Answers that each point at one object of the scene, the right one among them."""
        return ()


AnyReference = Reference[Any]
"""A companion whose kind of truth does not matter to whoever holds it."""
