"""What a run draws attention to: answers mostly unread, all on one spot, or in another frame.

It is a hint for the reader and changes no number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from er_bench.core.prompt import Expect
from er_bench.core.record import Record, RecordStatus
from er_bench.core.registry import Registry
from er_bench.core.task import OFFICIAL, ROBUST, AnySample, AnyTask, QuestionTask
from er_bench.run.other_dialects import neighbours, read_otherwise

FEWEST = 8
"""Fewer answers than this say nothing."""
LOOKED_AT = 60
"""Answers of a task that are looked at."""
GAIN = 0.15
"""What another frame must gain to be told, a fraction."""
ONE_SPOT_PX = 2.0
"""Answers that lie within so many pixels of one another are on one spot."""
SHOWN = 60


def advice(task: AnyTask, records: Iterable[Record], registry: Registry) -> Iterator[str]:
    """Lines about one task of a run, from its first answers; nothing where all looks well."""
    scored = (r for r in records if r.task == task.label and r.status is RecordStatus.SCORED)
    found = list(islice(scored, LOOKED_AT))
    if len(found) < FEWEST:
        return
    unread = [r for r in found if r.judgement[ROBUST].answer.value is None]
    if 2 * len(unread) > len(found):
        said = unread[0].rollout.turns[0].completion.text if unread[0].rollout.turns else ""
        yield (
            f"{task.label}: {len(unread)} of {len(found)} answers could not be read, such as "
            f"{_short(said)!r} ({unread[0].judgement[ROBUST].why}); er-bench view RUN shows them"
        )
    if _on_one_spot(found):
        yield (
            f"{task.label}: all points lie on one spot of the picture: does the model see it, and "
            f"is its dialect {task.dialect.name}?"
        )
    yield from _other_frame(task, found, registry)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}.."


def _on_one_spot(records: Sequence[Record]) -> bool:
    """Whether the first points of all answers are one point, and are meant to be several."""
    told = [r.judgement[ROBUST].points_px_xy for r in records]
    points = [points[0] for points in told if points]
    truths = {(r.truth.points_px_xy, r.truth.polygons_px, r.truth.mask) for r in records}
    if len(points) < FEWEST or len(truths) < 2:
        return False
    return all(max(axis) - min(axis) <= ONE_SPOT_PX for axis in zip(*points, strict=True))


def _other_frame(task: AnyTask, records: Sequence[Record], registry: Registry) -> Iterator[str]:
    """The neighbouring dialect in which the same answers score far more."""
    if not isinstance(task, QuestionTask):
        return
    pairs = list(_with_samples(task, records))
    if not pairs or task.prompt(pairs[0][0]).expects not in (Expect.POINTS, Expect.BOXES):
        return
    readings = task.readings
    if readings[OFFICIAL].lower_is_better:
        return
    now = read_otherwise(task, pairs, task.dialect, ROBUST)
    tried = (
        read_otherwise(task, pairs, other, ROBUST) for other in neighbours(task.dialect, registry)
    )
    made = [one for one in tried if one is not None]
    best = max(made, key=lambda one: one.made.score, default=None)
    if now is not None and best is not None and best.made.score >= now.made.score + GAIN:
        yield (
            f"{task.label}: read as {best.name} the same answers score {best.made.score:.1%}, not "
            f"{now.made.score:.1%} (the first {len(records)}): is {task.dialect.name} the model's "
            "dialect? See --dialect"
        )


def _with_samples(task: AnyTask, records: Sequence[Record]) -> Iterator[tuple[AnySample, Record]]:
    wanted = {record.id: record for record in records}
    for sample in task.samples():
        if sample.id in wanted:
            yield sample, wanted.pop(sample.id)
        if not wanted:
            return
