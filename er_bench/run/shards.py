"""A run in parts: which samples each of several processes takes.

Questions on one video stay together, so that each process decodes its own videos once; all other
samples are dealt out in turn, as groups of questions are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import TypeVar

from er_bench.core.errors import UsageError
from er_bench.core.manifest import Shard
from er_bench.core.sample import Sample, Video
from er_bench.core.task import AnySample, AnyTask

T = TypeVar("T")
MOST = 10_000


def parse_shard(text: str) -> Shard:
    """`i/n` as a part of a run, the first being 1. Raises UsageError."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text)
    if found is None:
        raise UsageError(f"--shard is I/N, such as 1/4 for the first of four; not {text!r:.60}")
    index, of = int(found[1]), int(found[2])
    if not 1 <= index <= of <= MOST:
        raise UsageError(f"--shard {index}/{of}: parts are 1/{of} to {of}/{of}, at most {MOST}")
    return Shard(index=index, of=of)


def samples_of(task: AnyTask, limit: int | None, shard: Shard | None) -> Iterator[AnySample]:
    """The first `limit` samples of a task, or a part's share of them, in order."""
    samples = islice(task.samples(), limit)
    return samples if shard is None else _share(samples, shard)


def _share(samples: Iterable[AnySample], shard: Shard) -> Iterator[AnySample]:
    for number, (_, group) in enumerate(groupby(samples, _together)):
        if number % shard.of == shard.index - 1:
            yield from group


def _together(sample: Sample[T]) -> str:
    """What samples of one group share: their video, or else nothing."""
    videos = (part for part in sample.parts if isinstance(part, Video))
    video = next(videos, None)
    return sample.id if video is None else f"video {video.path}"
