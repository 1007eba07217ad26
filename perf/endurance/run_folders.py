"""Hostile run folders: `perf/endurance/run_folders.py [COUNT]` (20,000 by default).

A run of four samples is damaged in one place COUNT times and read by all that reads runs; a
twentieth of the folders is also exported, scored again, resumed and repaired. Prints one line; exit
1 on an exception outside the error tree, or on records that a repair lost.
"""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import er_bench as api
from er_bench.core.errors import ErBenchError
from tests.conftest import write_toy
from tests.run.hostile_folders import damage, readers, writers
from tests.tally import Tally, arguments


def main() -> None:
    """Damage, read, write, print, and exit."""
    args, tally = arguments(__doc__), Tally()
    rng = random.Random(args.seed)
    silence = io.StringIO()
    with (
        tempfile.TemporaryDirectory() as place,
        contextlib.redirect_stdout(silence),
        contextlib.redirect_stderr(silence),
    ):
        toy = write_toy(Path(place) / "include")
        sound, run = Path(place) / "sound", Path(place) / "r"
        api.evaluate("reference/oracle", "toy", include=[toy], limit=4, out=sound)
        for number in range(args.count):
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(sound, run)
            damage(run, rng)
            uses = readers(run)
            lines = _lines(run)
            if number % 20 == 0:
                uses += writers(run, toy)
            for use in uses:
                _attempt(tally, use)
            if lost := lines - _lines(run):
                tally.faults["lines lost"] += max(0, lost)
    tally.faults = +tally.faults
    tally.close(f"{args.count} run folders")


def _attempt(tally: Tally, use: object) -> None:
    """One use; a refusal to resume lists what differs, on lines of its own."""
    try:
        use()  # type: ignore[operator]
    except ErBenchError:
        tally.ends["refused"] += 1
    except Exception as error:
        tally.faults[f"{error!r:.160}"] += 1
    else:
        tally.ends["accepted"] += 1


def _lines(run: Path) -> int:
    """Lines of records, those set aside among them."""
    return sum(file.read_bytes().count(b"\n") for file in run.glob("records*.jsonl"))


if __name__ == "__main__":
    main()
