"""Which samples make which step, decided before the first step from lengths and a seed.

Samples come as one endless stream: pass after pass over the mixture, each pass in an order of its
own. The stream is cut into windows; in a window samples are grouped by length or packed into
rows; rows make micro batches, micro batches make steps. So the order is the same whatever the
number of ranks, workers and restarts.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Batching = Literal["shuffled", "grouped", "packed"]
Row = tuple[int, ...]
"""Places in the stream of the samples that share a row."""

GROUP_STEPS = 16
"""Steps whose samples are sorted by length together."""
PACK_WINDOW = 4096
"""Samples that are packed together."""


@dataclass(frozen=True)
class Stream:
    """The endless stream of samples: place in the stream to sample of the mixture."""

    n: int
    """Samples of one pass."""
    seed: int

    def samples(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The samples at some places."""
        found = np.empty_like(places)
        for number in np.unique(places // self.n):
            here = places // self.n == number
            order = np.random.default_rng([self.seed, int(number)]).permutation(self.n)
            found[here] = order[places[here] % self.n]
        return found


@dataclass(frozen=True)
class Batches:
    """Every micro batch of a run, in order."""

    rows: Sequence[Row]
    """All rows; `micro_batch_size` in a row make a micro batch, `global_batch_size` a step."""
    stream: Stream
    lengths: NDArray[np.int32]
    """`(n,)`: tokens of every sample of a pass."""
    global_batch_size: int
    micro_batch_size: int

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return len(self.rows) // self.global_batch_size

    def __len__(self) -> int:
        return len(self.rows) // self.micro_batch_size

    def micro_batch(self, number: int) -> Sequence[Row]:
        """The rows of one micro batch."""
        start = number * self.micro_batch_size
        return self.rows[start : start + self.micro_batch_size]

    @cached_property
    def sample_at(self) -> NDArray[np.int64]:
        """`(places,)`: sample of the mixture at each place of the stream that the run reaches."""
        return self.stream.samples(np.arange(max(max(row) for row in self.rows) + 1))

    @cached_property
    def row_tokens(self) -> NDArray[np.int64]:
        """`(rows,)`: tokens of each row, padding not counted."""
        costs = self.lengths[self.sample_at]
        return np.array([costs[list(row)].sum() for row in self.rows], np.int64)

    @cached_property
    def step_tokens(self) -> NDArray[np.int64]:
        """`(steps,)`: tokens of each step, padding not counted."""
        by_step = self.row_tokens.reshape(self.steps, self.global_batch_size)
        return np.asarray(by_step.sum(axis=1), np.int64)

    def padding_share(self) -> float:
        """Share of the positions that go through the model for nothing."""
        rows = self.row_tokens.reshape(len(self), self.micro_batch_size)
        positions = int(rows.max(axis=1).sum()) * self.micro_batch_size
        return 1 - int(rows.sum()) / positions

    @property
    def samples_seen(self) -> int:
        """Samples of the whole run, repeats counted."""
        return sum(len(row) for row in self.rows)


def plan_batches(
    lengths: NDArray[np.int32],
    *,
    batching: Batching,
    sequence_length: int,
    global_batch_size: int,
    micro_batch_size: int,
    epochs: float | None,
    max_steps: int | None,
    seed: int,
) -> Batches:
    """Every micro batch of a run of `epochs` passes or `max_steps` steps, whichever ends first.

    The last step is completed with the first samples of a further pass, never left short.
    """
    stream = Stream(len(lengths), seed)
    end = None if epochs is None else int(np.ceil(epochs * stream.n))
    wanted = None if max_steps is None else max_steps * global_batch_size
    rows: list[Row] = []
    start = 0
    while wanted is None or len(rows) < wanted:
        if end is not None and start >= end:
            # The rows of all epochs are known: fill up the last step, and no more than that.
            whole = -(-len(rows) // global_batch_size) * global_batch_size
            wanted, end = min(wanted or whole, whole), None
            continue
        window = PACK_WINDOW if batching == "packed" else GROUP_STEPS * global_batch_size
        stop = start + window if end is None else min(start + window, end)
        places = np.arange(start, stop)
        costs = lengths[stream.samples(places)]
        random = np.random.default_rng([seed, start, stop])
        rows += list(_rows(places, costs, batching, sequence_length, global_batch_size, random))
        start = stop
    return Batches(rows[:wanted], stream, lengths, global_batch_size, micro_batch_size)


def _rows(
    places: NDArray[np.int64],
    costs: NDArray[np.int32],
    batching: Batching,
    capacity: int,
    global_batch_size: int,
    random: np.random.Generator,
) -> Iterator[Row]:
    if batching == "shuffled":
        yield from ((int(place),) for place in places)
    elif batching == "packed":
        packs = pack(costs, capacity)
        for number in random.permutation(len(packs)):
            yield tuple(int(places[k]) for k in packs[number])
    else:
        by_length = places[np.argsort(-costs, kind="stable")]
        steps = [
            by_length[k : k + global_batch_size]
            for k in range(0, len(by_length), global_batch_size)
        ]
        # A step that is not full comes last: the next window goes on with it.
        whole = len(by_length) // global_batch_size
        for number in (*random.permutation(whole), *range(whole, len(steps))):
            yield from ((int(place),) for place in steps[number])


def pack(costs: NDArray[np.int32], capacity: int) -> list[list[int]]:
    """Samples into rows of at most `capacity` tokens: best fit, longest first.

    No cost may be above `capacity`.
    """
    packs: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for sample in np.argsort(-costs, kind="stable").tolist():
        cost = int(costs[sample])
        fit = bisect_left(room, (cost, -1))
        if fit == len(room):
            packs.append([sample])
            insort(room, (capacity - cost, len(packs) - 1))
        else:
            left, number = room.pop(fit)
            packs[number].append(sample)
            insort(room, (left - cost, number))
    return packs
