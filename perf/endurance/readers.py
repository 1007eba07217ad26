"""Hostile texts through every reader: `perf/endurance/readers.py [COUNT]` (20,000 by default).

Each text goes through every reader and dialect, and to the readings of a task in turn. Then each
reader is timed on repeated pieces, at one and at four times a length. Prints one line; exit 1 on
an exception outside the error tree, a score outside 0..1, or a time that is not linear.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from itertools import cycle
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.core.errors import ErBenchError
from er_bench.core.registry import Registry
from tests.reading.hostile_texts import (
    UNITS,
    hostile_texts,
    is_linear,
    judge,
    judged_samples,
    plain_readers,
)


def main() -> None:
    """Read, time, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--length", type=int, default=20_000, help="of the texts that are timed")
    args = parser.parse_args()
    began, faults, refused = time.monotonic(), Counter[str](), 0
    readers, samples = plain_readers(), judged_samples(Registry())
    turn = cycle(samples)
    for text in hostile_texts(args.count, args.seed):
        for name, read in readers.items():
            try:
                read(text)
            except Exception as error:
                faults[f"{name}: {error!r:.60}"] += 1
        name, task, sample = next(turn)
        try:
            judge(task, sample, text)
        except ErBenchError:
            refused += 1
        except Exception as error:
            faults[f"{name}: {error!r:.60}"] += 1
    slow = [
        f"{name}: {unit!r} is not linear"
        for name, read in readers.items()
        for unit in UNITS
        if not is_linear(read, unit, args.length)
    ]
    for fault in [*faults, *slow][:20]:
        print(fault, file=sys.stderr)
    print(
        f"{args.count} texts, {len(readers)} readers, {len(samples)} samples judged in turn, "
        f"{refused} refused: {faults.total()} exceptions, {len(slow)} not linear, "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(1 if faults or slow else 0)


if __name__ == "__main__":
    main()
