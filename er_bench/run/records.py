"""The record of one sample, and the places of its media as records name them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from er_bench.core.record import Key, Record, RecordStatus, Truth
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Image, MediaRef, Video
from er_bench.core.score import Judgement
from er_bench.core.task import AnySample, AnyTask


def make_record(
    task: AnyTask,
    sample: AnySample,
    key: Key,
    rollout: Rollout,
    judgement: Judgement,
    status: RecordStatus = RecordStatus.SCORED,
    error: str = "",
    seconds: float = 0.0,
) -> Record:
    """The record of one sample, with all that makes it readable alone."""
    shown = task.shown(sample)
    return Record(
        task=key[0],
        id=sample.id,
        repeat=key[2],
        cluster=sample.cluster,
        category=sample.category,
        status=status,
        error=error,
        question=shown.question,
        options=dict(shown.options),
        truth=_truth(shown.truth, task),
        media=tuple(_media(task, sample)),
        rollout=rollout,
        judgement=dict(judgement),
        seconds=seconds,
    )


def _truth(truth: Truth, task: AnyTask) -> Truth:
    return replace(truth, mask=relative(truth.mask, task.root)) if truth.mask else truth


def _media(task: AnyTask, sample: AnySample) -> Iterator[MediaRef]:
    for part in sample.parts:
        if isinstance(part, Video):
            yield relative(part.ref, task.root)
        elif isinstance(part, Image) and (ref := part.blob.ref) is not None:
            yield relative(ref, task.root)


def relative(ref: MediaRef, root: Path) -> MediaRef:
    """A place seen from the task's data folder, where it lies inside."""
    inside = f"{root}{os.sep}"
    if ref.base == "data" and ref.file.startswith(inside):
        return replace(ref, file=ref.file.removeprefix(inside))
    return ref
