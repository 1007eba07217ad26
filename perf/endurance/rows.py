"""Hostile rows and files: `perf/endurance/rows.py [COUNT]` (20,000 by default).

COUNT files of rows of all tasks in turn, each with odd values or damage, are read, checked and
judged with and without their media; a quarter as many damaged archives, parquet files, TFRecords
and pickles are read. Prints one line; exit 1 on an exception outside the error tree, or on a
message of more than 2,000 characters.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.core.errors import ErBenchError
from tests.data.hostile_files import READERS, makers
from tests.tasks.hostile_rows import begin, cases


def main() -> None:
    """Read, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began, rng = time.monotonic(), random.Random(args.seed)
    ends, faults = Counter[str](), Counter[str]()

    def attempt(what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except ErBenchError as error:
            ends[type(error).__name__] += 1
            if len(str(error)) > 2000:
                faults[f"{what}: a long message: {error!s:.80}"] += 1
        except Exception as error:
            faults[f"{what}: {error!r:.120}"] += 1
        else:
            ends["accepted"] += 1

    with tempfile.TemporaryDirectory() as place:
        tried = list(cases(Path(place) / "tasks"))
        for number in range(args.count):
            case = tried[number % len(tried)]
            case.spoil(rng)
            attempt(case.task, lambda case=case, k=number: begin(case, with_media=k // 13 % 2 == 0))
        for name, make in makers(Path(place) / "files").items():
            for _ in range(args.count // 16):
                file = make(rng)
                attempt(name, lambda name=name, file=file: READERS[name](file))
    for fault, times in faults.most_common(20):
        print(f"{times} x {fault}", file=sys.stderr)
    told = ", ".join(f"{n} {what}" for what, n in ends.most_common())
    print(
        f"{ends.total() + faults.total()} rows and files: {told}, {faults.total()} faults, "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
