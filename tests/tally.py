"""What became of many hostile values: how each ended, and what should not have happened."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import NoReturn

from er_bench.core.errors import ErBenchError

LONGEST = 2000
"""Characters of a message."""


def arguments(description: str | None) -> argparse.Namespace:
    """`count`, 20,000 by default, and `seed` of a long trial."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


class Tally:
    """Counts ends by name, and faults by what they were."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.ends = Counter[str]()
        self.faults = Counter[str]()

    def attempt(self, what: str, action: Callable[[], object]) -> None:
        """Do something that may end in an error of the tree, told in a line, and in no other."""
        try:
            action()
        except ErBenchError as error:
            self.ends["refused"] += 1
            self.told(what, str(error))
        except Exception as error:
            self.faults[f"{what}: {error!r:.160}"] += 1
        else:
            self.ends["accepted"] += 1

    def told(self, what: str, message: str) -> None:
        """Look at a message: more than a line, or too long a one, is a fault."""
        if "\n" in message or len(message) > LONGEST:
            self.faults[f"{what}: a long message: {message:.80}"] += 1

    def close(self, what: str) -> NoReturn:
        """Print a line about it all, and exit with 1 if there was a fault."""
        for fault, times in self.faults.most_common(20):
            print(f"{times} x {fault}", file=sys.stderr)
        told = ", ".join(f"{n:,} {end}" for end, n in self.ends.most_common())
        took = time.monotonic() - self._began
        print(f"{what}: {told}, {self.faults.total()} faults, {took:.0f} s")
        sys.exit(bool(self.faults))
