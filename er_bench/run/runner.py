"""The loop: every sample of every task as one stream, and the only concurrency, retries, limits.

Samples of all tasks are taken in turn, so that a batch on the model's side holds questions and
episodes of several tasks, and no task's tail leaves the model idle.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from er_bench.core.errors import DataError, EnvError, ModelError
from er_bench.core.manifest import Shard
from er_bench.core.model import Model, Subject
from er_bench.core.prompt import Prompt
from er_bench.core.record import Key, Record, RecordStatus
from er_bench.core.reference import AnyReference
from er_bench.core.rollout import Rollout
from er_bench.core.score import Judgement
from er_bench.core.task import AnySample, AnyTask
from er_bench.run.asking import Asking, Health, Limits
from er_bench.run.frames import FrameKeeper
from er_bench.run.records import make_record
from er_bench.run.shards import samples_of

ROWS_AT_ONCE = 16
"""Rows read in one visit to the thread that reads; they may hold images."""

Ready = tuple[Record, Mapping[str, Prompt]]
"""A record with the prompts that its turns name, by identity."""
Keep = Callable[[Sequence[Ready]], None]
"""Takes each record, once, on the event loop; those of one turn of the loop together."""


@dataclass(frozen=True, slots=True)
class Job:
    """One task of a run and the samples of it that are to run."""

    task: AnyTask
    reference: AnyReference | None = None
    """Its companion, for models that need one."""
    done: frozenset[Key] | set[Key] = frozenset()
    """What need not run any more."""
    limit: int | None = None
    shard: Shard | None = None
    """The part of the samples that runs here."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Samples known to be unusable before the run, by id, and why."""


async def run(
    jobs: Sequence[Job],
    model: Model,
    keep: Keep,
    *,
    concurrency: int,
    on_record: Callable[[Record], None] = lambda record: None,
    repeats: int = 1,
    limits: Limits | None = None,
    frames: FrameKeeper | None = None,
) -> None:
    """Run every wanted sample, hand each record to `keep`, and when it is kept to `on_record`.

    Errors of data, model and simulator become records; any other exception is a fault of
    er-bench, ends the run and is raised.
    """
    worker = _Worker(model, limits or Limits(), Health(), frames)
    keeper = _Keeper(keep)
    stream = _stream(jobs, repeats)
    queue: asyncio.Queue[tuple[Job, AnySample, int] | None] = asyncio.Queue(maxsize=concurrency)

    async def feed() -> None:
        while items := await asyncio.to_thread(lambda: list(islice(stream, ROWS_AT_ONCE))):
            for item in items:
                await queue.put(item)
        for _ in range(concurrency):
            await queue.put(None)

    async def work() -> None:
        while (item := await queue.get()) is not None:
            record, prompts = await worker.record(*item)
            await keeper.kept(record, prompts)
            on_record(record)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(feed())
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    finally:
        keeper.keep_all()
        for job in jobs:
            await job.task.close()


class _Keeper:
    """Keeps the records that are ready in one turn of the event loop together."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._ready: list[Ready] = []
        self._turn: asyncio.Future[None] | None = None

    async def kept(self, record: Record, prompts: Mapping[str, Prompt]) -> None:
        """Return when a record is kept. Raises what `keep` raises."""
        if self._turn is None:
            loop = asyncio.get_running_loop()
            self._turn = loop.create_future()
            loop.call_soon(self.keep_all)
        self._ready.append((record, prompts))
        await asyncio.shield(self._turn)

    def keep_all(self) -> None:
        """Keep what is ready; an error is raised in those that wait for it."""
        turn, ready = self._turn, self._ready
        self._turn, self._ready = None, []
        if turn is None:
            return
        try:
            self._keep(ready)
        except Exception as error:
            turn.set_exception(error)
        else:
            turn.set_result(None)


def _stream(jobs: Sequence[Job], repeats: int) -> Iterator[tuple[Job, AnySample, int]]:
    """Samples of all jobs in turn; rows are read as they are needed."""
    for repeat in range(repeats):
        active = [(job, samples_of(job.task, job.limit, job.shard)) for job in jobs]
        while active:
            for job, samples in list(active):
                for sample in samples:
                    if (job.task.label, sample.id, repeat) not in job.done:
                        yield job, sample, repeat
                        break
                else:
                    active.remove((job, samples))


@dataclass(frozen=True, slots=True)
class _Worker:
    """Takes one sample to its record."""

    model: Model
    limits: Limits
    health: Health
    frames: FrameKeeper | None

    async def record(
        self, job: Job, sample: AnySample, repeat: int
    ) -> tuple[Record, Mapping[str, Prompt]]:
        task, start = job.task, time.monotonic()
        key = (task.label, sample.id, repeat)
        subject = Subject(job.reference, sample, repeat)
        ask = self.model.ask if task.needs_policy else self.model.about(subject)
        policy = self.model.policy(subject) if task.needs_policy else None
        agent = Asking(ask, self.limits, self.health, task.root, key, self.frames, policy)
        rollout = Rollout()
        judgement: Judgement = {}
        status, error = RecordStatus.SCORED, job.faults.get(sample.id, "")
        try:
            if error:
                status = RecordStatus.DATA_ERROR
            else:
                rollout = await solved(task, sample, agent)
                judgement = await judged(task, sample, rollout)
        except ModelError as problem:
            status, error = RecordStatus.MODEL_ERROR, str(problem)
        except DataError as problem:
            status, error = RecordStatus.DATA_ERROR, f"{sample.where}: {problem}"
        except EnvError as problem:
            status, error = RecordStatus.ENV_ERROR, str(problem)
        if status is not RecordStatus.SCORED:
            rollout = Rollout(tuple(agent.turns))
        seconds = round(max(0.0, time.monotonic() - start - agent.waited_s), 4)
        record = make_record(task, sample, key, rollout, judgement, status, error, seconds)
        return record, agent.prompts


async def solved(task: AnyTask, sample: AnySample, agent: Asking) -> Rollout:
    """What happened; once more from the start where what remembered the sample was lost."""
    try:
        return await task.solve(sample, agent)
    except ModelError as problem:
        if not problem.begin_again:
            raise
        agent.forget()
        return await task.solve(sample, agent)


async def judged(task: AnyTask, sample: AnySample, rollout: Rollout) -> Judgement:
    """The judgement, made off the event loop where it opens files."""
    if task.judges_in_thread:
        return await asyncio.to_thread(task.judge, sample, rollout)
    return task.judge(sample, rollout)
