"""Hostile rows and files: `perf/endurance/rows.py [COUNT]` (20,000 by default).

COUNT files of rows of all tasks in turn, each with odd values or damage, are read, checked and
judged with and without their media; a quarter as many damaged archives, parquet files, TFRecords
and pickles are read. Prints one line; exit 1 on an exception outside the error tree, or on a
message of more than a line or 2,000 characters.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.data.hostile_files import READERS, makers
from tests.tally import Tally, arguments
from tests.tasks.hostile_rows import begin, cases


def main() -> None:
    """Read, print, and exit."""
    args, tally = arguments(__doc__), Tally()
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as place:
        tried = list(cases(Path(place) / "tasks"))
        for number in range(args.count):
            case, media = tried[number % len(tried)], number // len(tried) % 2 == 0
            case.spoil(rng)
            tally.attempt(case.task, lambda c=case, m=media: begin(c, with_media=m))
        for name, make in makers(Path(place) / "files").items():
            for _ in range(args.count // 16):
                file = make(rng)
                tally.attempt(name, lambda name=name, file=file: READERS[name](file))
    tally.close(f"{args.count} files of rows, {args.count // 4} others")


if __name__ == "__main__":
    main()
