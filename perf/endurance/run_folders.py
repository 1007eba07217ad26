"""Hostile run folders: `perf/endurance/run_folders.py [COUNT]` (20,000 by default).

A run of four samples is damaged in one place COUNT times and read by all that reads runs; a
twentieth of the folders is also exported, scored again, resumed and repaired. Prints one line; exit
1 on an exception outside the error tree, or on records that a repair lost.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import er_bench as api
from er_bench.core.errors import ErBenchError
from tests.conftest import write_toy
from tests.run.hostile_folders import damage, readers, writers


def main() -> None:
    """Damage, read, write, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began, rng = time.monotonic(), random.Random(args.seed)
    ends, faults = Counter[str](), Counter[str]()

    def attempt(uses: Iterable[Callable[[], object]]) -> None:
        for number, use in enumerate(uses):
            try:
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(None):
                    use()
            except ErBenchError:
                ends["refused"] += 1
            except Exception as error:
                faults[f"use {number}: {error!r:.120}"] += 1
            else:
                ends["accepted"] += 1

    with tempfile.TemporaryDirectory() as place:
        toy = write_toy(Path(place) / "include")
        sound, run = Path(place) / "sound", Path(place) / "r"
        api.evaluate("reference/oracle", "toy", include=[toy], limit=4, out=sound)
        for number in range(args.count):
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(sound, run)
            damage(run, rng)
            attempt(readers(run))
            if number % 20 == 0:
                lines = _lines(run)
                attempt(writers(run, toy))
                faults["lines lost"] += max(0, lines - _lines(run))
    faults = +faults
    for fault, times in faults.most_common(20):
        print(f"{times} x {fault}", file=sys.stderr)
    told = ", ".join(f"{n} {what}" for what, n in ends.most_common())
    took = time.monotonic() - began
    print(f"{args.count} run folders: {told}, {faults.total()} faults, {took:.0f} s")
    sys.exit(bool(faults))


def _lines(run: Path) -> int:
    """Lines of records, those set aside among them."""
    return sum(file.read_bytes().count(b"\n") for file in run.glob("records*.jsonl"))


if __name__ == "__main__":
    main()
