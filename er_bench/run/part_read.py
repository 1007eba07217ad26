"""Which part of an answer a reading rests on, found by reading parts of it.

No reader has to say what it looked at: whatever its rule, the part that it read is one that it
reads alone as it reads the whole, and without which the whole is read otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from er_bench.core.answer import Answer, Status
from er_bench.core.errors import DataError
from er_bench.core.manifest import Manifest
from er_bench.core.record import Key, Record
from er_bench.core.rollout import Rollout
from er_bench.core.task import AnySample, AnyTask
from er_bench.run.open_tasks import Opened
from er_bench.run.score_again import with_samples

Span = tuple[int, int]
"""Characters `[start, stop)` of a text."""
MOST_CHARACTERS = 20_000
"""Of an answer that is looked into: each is read some thirty times."""
_PIECE = re.compile(r"\w+|[^\w\s]")
_READ = (Status.OK, Status.OUT_OF_RANGE)


def part_read(read: Callable[[str], Answer], text: str) -> Span | None:
    """A short part of a text that is read alone as the text is read, its words kept whole.

    Of several the one is taken without which the text is read otherwise; where the text says the
    same twice, the later one. None for a text that cannot be read, or is too long.
    """
    if len(text) > MOST_CHARACTERS or (whole := read(text)).status not in _READ:
        return None
    pieces = [match.span() for match in _PIECE.finditer(text)]

    def same(first: int, stop: int) -> bool:
        if first >= stop:
            return False
        part = read(text[pieces[first][0] : pieces[stop - 1][1]])
        return (part.value, part.status) == (whole.value, whole.status)

    if not same(0, len(pieces)):
        return None
    last = _last_begin(same, 0, len(pieces))
    by_end = (last, _first_end(same, last, len(pieces)))
    end = _first_end(same, 0, len(pieces))
    by_begin = (_last_begin(same, 0, end), end)
    found = [(pieces[first][0], pieces[stop - 1][1]) for first, stop in (by_end, by_begin)]
    return next((span for span in found if _decides(read, text, span, whole)), found[0])


def _last_begin(same: Callable[[int, int], bool], first: int, stop: int) -> int:
    """A begin from which on the pieces are read the same, and from the next piece on are not."""
    beyond = stop
    while beyond - first > 1:
        middle = (first + beyond) // 2
        if same(middle, stop):
            first = middle
        else:
            beyond = middle
    return first


def _first_end(same: Callable[[int, int], bool], first: int, stop: int) -> int:
    """An end up to which the pieces are read the same, and up to the piece before are not."""
    short = first
    while stop - short > 1:
        middle = (short + stop) // 2
        if same(first, middle):
            stop = middle
        else:
            short = middle
    return stop


def _decides(read: Callable[[str], Answer], text: str, span: Span, whole: Answer) -> bool:
    """Whether the text is read otherwise when a part of it is blank."""
    rest = read(text[: span[0]] + " " * (span[1] - span[0]) + text[span[1] :])
    return (rest.value, rest.status) != (whole.value, whole.status)


def parts_read(
    folder: Path,
    manifest: Manifest,
    records: Iterable[Record],
    opened: Sequence[Opened],
    readings: Sequence[str],
) -> Iterator[tuple[Key, dict[str, Span]]]:
    """The part that each of these readings rests on, of the records with a single answer.

    Raises StoreError for records that are not the run's.
    """
    for task, sample, record in with_samples(folder, manifest, records, opened):
        rollout = record.rollout
        if rollout.start is not None or len(rollout.turns) != 1:
            continue
        wanted = [reading for reading in readings if reading in record.judgement]
        found = {name: _of_reading(task, sample, rollout, name) for name in wanted}
        yield record.key, {name: span for name, span in found.items() if span is not None}


def _of_reading(task: AnyTask, sample: AnySample, rollout: Rollout, name: str) -> Span | None:
    (turn,) = rollout.turns

    def read(text: str) -> Answer:
        said = replace(turn.completion, text=text)
        answered = replace(rollout, turns=(replace(turn, completion=said),))
        return task.judge(sample, answered, [name])[name].answer

    try:
        return part_read(read, turn.completion.text)
    except DataError:
        return None
