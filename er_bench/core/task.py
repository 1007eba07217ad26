"""A task: one benchmark, its rows, its prompt, its reader and its score."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

from er_bench.core.answer import Answer, Value
from er_bench.core.card import Dataset, TaskCard
from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect
from er_bench.core.geometry import Size
from er_bench.core.model import Ask
from er_bench.core.outcome import Outcome
from er_bench.core.prompt import Prompt
from er_bench.core.sample import Blob, Sample
from er_bench.core.score import Score


@dataclass(frozen=True, slots=True)
class Judgement:
    """One completion, read and scored twice."""

    official: Answer
    robust: Answer
    score: Score


@dataclass(frozen=True, slots=True)
class Scored:
    """What an aggregate sees of one scored sample."""

    cluster: str
    category: str
    score: Score


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A task's numbers. Scores are fractions in [0, 1]; NaN where there is nothing to average.

    `score` is the headline. `by_category` holds per-category means and every other number that
    the benchmark's users know by name.
    """

    score: float
    by_category: Mapping[str, float]
    means: Mapping[str, float] = field(default_factory=dict)
    """Means to be read beside the score, each in its own unit (planner steps, error rates)."""


class Task(ABC):
    """One benchmark, opened on one folder of data.

    Rows are read lazily: `samples()` may be iterated as often as wanted and holds no media.
    """

    card: TaskCard
    with_media: bool = True
    """Whether `samples()` brings media that lie inside row files; scoring again needs none."""

    def __init__(self, card: TaskCard, root: Path, protocol: str = "official") -> None:
        self.card, self.root, self.protocol = card, root, protocol

    @property
    def label(self) -> str:
        """What results call it: the name, with the protocol behind an `@` if not the first."""
        first = next(iter(self.card.protocols))
        return self.name if self.protocol == first else f"{self.name}@{self.protocol}"

    @property
    def name(self) -> str:
        """The task's name, as on its card."""
        return self.card.name

    @property
    def dataset(self) -> Dataset:
        """What the rows must look like; the card's, unless the protocol takes only some of them."""
        return self.card.dataset

    @abstractmethod
    def samples(self) -> Iterator[Sample]:
        """Every row in the authors' order. Raises DataError that names file, row and field."""

    @abstractmethod
    async def solve(self, sample: Sample, ask: Ask) -> Outcome:
        """Put the sample to the model and judge what came back.

        Called with stored completions, it scores a run again: so everything that is scored is
        a function of the sample and of what `ask` returns.
        """

    def replaying(self, steps: tuple[Mapping[str, Any], ...]) -> Task:
        """The task with a stored outcome's `steps` in place of a simulator; questions need none."""
        del steps
        return self

    async def close(self) -> None:
        """Let go of what `solve` opened (simulators)."""
        return None

    def check(self, sample: Sample) -> None:  # noqa: B027 - most tasks have nothing to check
        """Look for faults of a row before the first request: sizes, ranges, truths.

        Called once for each sample whose media are there. May open image headers. Raises
        DataError that names file, row and field.
        """

    def media(self, sample: Sample) -> Iterable[Blob | Path]:
        """Every file the sample needs beyond its row; parts by default, masks added by a task."""
        from er_bench.core.sample import Image, Video

        for part in sample.parts:
            if isinstance(part, Image):
                yield part.blob
            elif isinstance(part, Video):
                yield part.path

    def unavailable(self) -> str | None:
        """Why the task cannot run here (its simulator is absent), with the command that helps."""
        return None

    def prompt_sha256(self, sample: Sample, dialect: AnyDialect) -> str:
        """Identity of what a sample asks first, so that a changed prompt is noticed on resume."""
        return ""

    def remarks(self) -> list[str]:
        """What about the rows in this folder changes what a score means; kept in results."""
        return []

    def truth_identity(self, sample: Sample) -> object:
        """The truth as JSON, for the data fingerprint; media excluded."""
        return repr(sample.target)

    def aggregate(self, scored: Sequence[Scored], reading: str = "official") -> Aggregate:
        """The benchmark's numbers from its scored samples: by default the mean over samples.

        `reading` is `official` or `robust`. Samples whose official score is None are left out of
        the official mean, as the released code does.
        """
        values = [(s.category, value(s.score, reading)) for s in scored]
        kept = [(c, v) for c, v in values if v is not None]
        return Aggregate(mean([v for _, v in kept]), category_means(kept))

    # What reference models need to know. Text-and-number tasks override what fits them.

    def ideal(self, sample: Sample) -> Value:
        """The truth as an answer value, points and boxes in pixels of the original image."""
        raise NotImplementedError(f"{self.name} has no ideal answer")

    def write(self, value: Value, sample: Sample, dialect: AnyDialect) -> str:
        """A value as a model with this dialect would write it, so that the task reads it back."""
        raise NotImplementedError(f"{self.name} cannot write answers")

    def random_value(self, sample: Sample, rng: random.Random) -> Value | None:
        """A random answer where the kind of answer is the task's own (a plan); None for silence."""
        return None

    def blind_value(self, sample: Sample) -> Value | None:
        """The answer of one who reads the words only; None for silence."""
        return None

    def letters(self, sample: Sample) -> str:
        """The option letters of a multiple-choice sample; empty for other samples."""
        return ""

    def size_wh(self, sample: Sample) -> Size | None:
        """Size of the image that points and boxes refer to, if the sample asks for any."""
        return None

    def objects(self, sample: Sample) -> Sequence[Value]:
        """Answers that each point at one object of the scene, the right one among them."""
        return ()


class QuestionTask(Task):
    """A task whose samples ask once: build a prompt, judge one completion."""

    judges_in_thread: ClassVar[bool] = False
    """Whether `judge` reads files (masks), so that it must stay off the event loop."""

    @abstractmethod
    def prompt(self, sample: Sample, dialect: AnyDialect) -> Prompt:
        """The prompt for one sample. Reads no media."""

    def prompt_sha256(self, sample: Sample, dialect: AnyDialect) -> str:
        """Identity of the sample's prompt."""
        return self.prompt(sample, dialect).sha256()

    @abstractmethod
    def judge(self, sample: Sample, completion: Completion, dialect: AnyDialect) -> Judgement:
        """Read and score one completion. Opens no image or video; masks only."""

    async def solve(self, sample: Sample, ask: Ask) -> Outcome:
        """Ask once and judge."""
        completion = await ask(self.prompt(sample, ask.dialect))
        if self.judges_in_thread:
            judged = await asyncio.to_thread(self.judge, sample, completion, ask.dialect)
        else:
            judged = self.judge(sample, completion, ask.dialect)
        return Outcome.scored(self.name, sample, judged.official, judged.robust, judged.score)


def value(score: Score, reading: str) -> float | None:
    """One of a score's two readings."""
    return score.official if reading == "official" else score.robust


def mean(values: Sequence[float]) -> float:
    """The mean, or NaN of nothing."""
    return fmean(values) if values else float("nan")


def category_means(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The mean of each category, categories sorted by name."""
    by_category: dict[str, list[float]] = {}
    for category, number in pairs:
        by_category.setdefault(category, []).append(number)
    return {name: fmean(by_category[name]) for name in sorted(by_category)}
