"""Short ways for tests: open a task in a dialect, judge a text, count over judged samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from er_bench.core.completion import Completion
from er_bench.core.geometry import Size
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.rollout import Rollout
from er_bench.core.score import Judgement, Scored
from er_bench.core.task import AnySample, AnyTask

NAMES = Registry()


def open_task(
    name: str, root: Path, protocol: str | None = None, dialect: str = "benchmark"
) -> AnyTask:
    """A task on a folder of rows."""
    return NAMES.open_task(TaskSpec(name, root, protocol, dialect))


def spoken(task: AnyTask, dialect: str) -> AnyTask:
    """The same task on the same rows, asked in another dialect."""
    return open_task(task.name, task.root, task.protocol, dialect)


def judge(
    task: AnyTask, text: str, sample: AnySample | None = None, sizes: Sequence[Size] = ()
) -> Judgement:
    """What every reading makes of a text; of the first sample unless one is given."""
    sample = sample or next(iter(task.samples()))
    return task.judge(sample, Rollout.answered(Completion(text, image_sizes=tuple(sizes))))


def scored(
    task: AnyTask, answers: Iterable[tuple[AnySample, str]], reading: str = "official"
) -> list[Scored]:
    """What an aggregate sees of samples and their answers, under one reading."""
    found = []
    for sample, text in answers:
        verdict = judge(task, text, sample)[reading]
        found.append(Scored(sample.cluster, sample.category, verdict.score, verdict.parts))
    return found
