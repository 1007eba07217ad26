"""Hostile YAML: `perf/endurance/cards.py [COUNT]` (20,000 by default).

COUNT task cards, model cards, recipes, option files and settings in turn are read, each with odd
values, damage, or YAML that nobody should write. Prints one line; exit 1 on an exception outside
the error tree, or on a message of more than one line or 2,000 characters.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.core.errors import ErBenchError
from tests.core.hostile_yaml import readers, write


def main() -> None:
    """Read, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began, rng = time.monotonic(), random.Random(args.seed)
    ends, faults = Counter[str](), Counter[str]()
    kinds = list(readers().items())
    with tempfile.TemporaryDirectory() as place:
        for number in range(args.count):
            kind, (right, read) = kinds[number % len(kinds)]
            file = Path(place) / "file.yaml"
            write(rng, right, file)
            try:
                read(file)
            except ErBenchError as error:
                ends[type(error).__name__] += 1
                if "\n" in str(error) or len(str(error)) > 2000:
                    faults[f"{kind}: a long message: {error!s:.80}"] += 1
            except Exception as error:
                faults[f"{kind}: {error!r:.120}"] += 1
            else:
                ends["accepted"] += 1
    for fault, times in faults.most_common(20):
        print(f"{times} x {fault}", file=sys.stderr)
    told = ", ".join(f"{n} {what}" for what, n in ends.most_common())
    print(f"{args.count} files: {told}, {faults.total()} faults, {time.monotonic() - began:.0f} s")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
