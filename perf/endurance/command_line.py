"""Hostile command lines: `perf/endurance/command_line.py [COUNT]` (20,000 by default).

COUNT command lines, over all commands of the app in turn, each with one to three odd values, are
given in this process. Prints one line; exit 1 on what would be a traceback, on an exit code that is
not documented, and on a failure that says nothing.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.cli.hostile_commands import commands, give, line, sandbox

LONGEST_S = 30
SLOW = ("doctor",)
"""Given once where the others are given thirty times."""


def main() -> None:
    """Give, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    signal.signal(signal.SIGALRM, _too_long)
    began, rng = time.monotonic(), random.Random(args.seed)
    quick = [command for command in commands() if " ".join(command.words) not in SLOW]
    found = [*quick * 30, *(command for command in commands() if command not in quick)]
    codes, faults = Counter[object](), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "sandbox"
        folder.mkdir()
        sandbox(folder)
        os.chdir(folder)
        for number in range(args.count):
            said = line(rng, found[number % len(found)])
            signal.alarm(LONGEST_S)
            try:
                code, told = give(said)
            except BaseException as error:
                faults[f"{said!r:.200}: {error!r:.160}"] += 1
                continue
            signal.alarm(0)
            codes[code] += 1
            if code not in (0, 2, 3) or (code and not told.strip()):
                faults[f"{said!r:.200}: exit {code}: {told:.160}"] += 1
        os.chdir("/")
    for fault, times in faults.most_common(20):
        print(f"{times} x {fault}", file=sys.stderr)
    told = ", ".join(f"exit {code}: {n}" for code, n in codes.most_common())
    took = time.monotonic() - began
    print(f"{args.count} command lines: {told}; {faults.total()} faults, {took:.0f} s")
    sys.exit(bool(faults))


def _too_long(*_: object) -> None:
    raise TimeoutError(f"it goes on after {LONGEST_S} s")


if __name__ == "__main__":
    main()
