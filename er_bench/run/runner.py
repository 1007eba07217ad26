"""The loop: every sample of every task as one stream, and the only concurrency, retries, limits.

Samples of all tasks are taken in turn, so that a batch on the model's side holds questions and
episodes of several tasks, and no task's tail leaves the model idle.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect
from er_bench.core.errors import DataError, EnvError, ModelError
from er_bench.core.model import Model
from er_bench.core.outcome import Outcome, OutcomeStatus
from er_bench.core.prompt import Prompt
from er_bench.core.sample import Sample
from er_bench.core.task import Task

ROWS_AT_ONCE = 16
"""Rows read in one visit to the thread that reads; they may hold images."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard one request is tried.

    The wait before try k is uniform in [0, min(cap, base * 2^(k-1))] ("full jitter", M. Brooker,
    Exponential Backoff and Jitter, AWS 2015), or what the server asks for with Retry-After.
    After `patience` requests in a row that failed for good, requests are tried once only, until
    one succeeds: a dead server ends a run soon.
    """

    max_retries: int = 5
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 60.0
    retry_after_cap_s: float = 300.0
    request_timeout_s: float | None = None
    patience: int = 8


@dataclass(frozen=True, slots=True)
class Job:
    """One task of a run and the samples of it that are to run."""

    task: Task
    wanted: Callable[[Sample, int], bool]
    """Whether a sample still has to run, for a repeat."""
    limit: int | None = None
    faults: Mapping[str, str] = field(default_factory=dict)
    """Samples known to be unusable before the run, by id, and why."""
    steps: Callable[[Sample, int], tuple[Mapping[str, Any], ...]] | None = None
    """Where the stored steps of a sample come from, when a run is scored again."""


@dataclass(slots=True)
class Health:
    """Whether the model has answered lately; shared by all requests of a run."""

    failures_in_a_row: int = 0


async def run(
    jobs: Sequence[Job],
    model: Model,
    keep: Callable[[Outcome], None],
    *,
    concurrency: int,
    repeats: int = 1,
    limits: Limits | None = None,
) -> None:
    """Run every wanted sample and hand each outcome to `keep`, on the event loop, once.

    Errors of data, model and simulator become outcomes; any other exception is a fault of
    er-bench, ends the run and is raised.
    """
    limits, health = limits or Limits(), Health()
    stream = _stream(jobs, repeats)
    queue: asyncio.Queue[tuple[Job, Sample, int] | None] = asyncio.Queue(maxsize=concurrency)

    async def feed() -> None:
        while items := await asyncio.to_thread(lambda: list(islice(stream, ROWS_AT_ONCE))):
            for item in items:
                await queue.put(item)
        for _ in range(concurrency):
            await queue.put(None)

    async def work() -> None:
        while (item := await queue.get()) is not None:
            job, sample, repeat = item
            keep(await _one(job, sample, repeat, model, limits, health))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(feed())
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    finally:
        for job in jobs:
            await job.task.close()


def _stream(jobs: Sequence[Job], repeats: int) -> Iterator[tuple[Job, Sample, int]]:
    """Samples of all jobs in turn; rows are read as they are needed."""
    for repeat in range(repeats):
        active = [(job, _first(job.task.samples(), job.limit)) for job in jobs]
        while active:
            for job, samples in list(active):
                for sample in samples:
                    if job.wanted(sample, repeat):
                        yield job, sample, repeat
                        break
                else:
                    active.remove((job, samples))


def _first(samples: Iterator[Sample], limit: int | None) -> Iterator[Sample]:
    for number, sample in enumerate(samples):
        if limit is not None and number >= limit:
            return
        yield sample


async def _one(
    job: Job, sample: Sample, repeat: int, model: Model, limits: Limits, health: Health
) -> Outcome:
    """One sample, to its outcome."""
    name, start = job.task.label, time.monotonic()
    ask = Recorder(model.bind(job.task, sample, repeat), model.dialect, limits, health)
    try:
        if fault := job.faults.get(sample.id):
            outcome = Outcome.failed(name, sample, OutcomeStatus.DATA_ERROR, fault)
        else:
            task = job.task.replaying(job.steps(sample, repeat)) if job.steps else job.task
            outcome = await task.solve(sample, ask)
    except ModelError as error:
        outcome = Outcome.failed(name, sample, OutcomeStatus.MODEL_ERROR, str(error))
    except DataError as error:
        where = f"{sample.where}: {error}"
        outcome = Outcome.failed(name, sample, OutcomeStatus.DATA_ERROR, where)
    except EnvError as error:
        outcome = Outcome.failed(name, sample, OutcomeStatus.ENV_ERROR, str(error))
    return replace(
        outcome,
        task=name,
        repeat=repeat,
        completions=tuple(ask.completions),
        prompt_sha256=ask.prompt_sha256(),
        seconds=time.monotonic() - start,
    )


class Recorder:
    """The `Ask` that a task gets: it retries, limits and keeps what was asked and answered."""

    def __init__(
        self,
        ask: Callable[[Prompt], Awaitable[Completion]],
        dialect: AnyDialect,
        limits: Limits,
        health: Health,
    ) -> None:
        self._ask, self.dialect, self._limits, self._health = ask, dialect, limits, health
        self.completions: list[Completion] = []
        self._hashes: list[str] = []

    async def __call__(self, prompt: Prompt) -> Completion:
        """Ask, with retries. Raises ModelError when the last try failed."""
        self._hashes.append(prompt.sha256())
        attempt = 0
        while True:
            try:
                completion = await self._try(prompt)
            except ModelError as error:
                attempt += 1
                worn = self._health.failures_in_a_row >= self._limits.patience
                if not error.retryable or worn or attempt > self._limits.max_retries:
                    self._health.failures_in_a_row += 1
                    tries = f" (tried {attempt} times)" if attempt > 1 else ""
                    raise ModelError(f"{error}{tries}") from error
                await asyncio.sleep(self._wait_s(attempt, error.retry_after_s))
            else:
                self._health.failures_in_a_row = 0
                self.completions.append(completion)
                return completion

    async def _try(self, prompt: Prompt) -> Completion:
        timeout_s = self._limits.request_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(prompt)
        except TimeoutError:
            raise ModelError(f"no answer within {timeout_s:g} s", retryable=True) from None

    def _wait_s(self, attempt: int, retry_after_s: float | None) -> float:
        limits = self._limits
        if retry_after_s is not None:
            return min(retry_after_s, limits.retry_after_cap_s)
        ceiling = min(limits.backoff_cap_s, limits.backoff_base_s * 2 ** (attempt - 1))
        return random.uniform(0, ceiling)

    def prompt_sha256(self) -> str:
        """Identity of what was asked: the prompt's, or that of all prompts in order."""
        if len(self._hashes) == 1:
            return self._hashes[0]
        return hashlib.sha256("".join(self._hashes).encode()).hexdigest() if self._hashes else ""
