"""Hostile training records: `perf/endurance/training_records.py [COUNT]` (20,000 by default).

COUNT meta files with four records each, of which some are odd or damaged, are read and measured as
before training. Prints one line; exit 1 on an exception outside the error tree, or on a message of
more than one line or 2,000 characters.
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
from er_bench.models.internvl.tiny import make_tiny
from er_bench.models.internvl.training import TRAINING
from er_bench.train.data.examples import Reader
from tests.train.hostile_records import begin, read, write


def main() -> None:
    """Read, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began, rng = time.monotonic(), random.Random(args.seed)
    ends, faults = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        begin(folder)
        model = make_tiny(Path(place) / "model", vocab_size=300, tile_px=28)
        codec = TRAINING.codec(model, system_message="Be brief.")
        reader = Reader(codec, 4096, 12, (2, 5), "token", 0)
        for _ in range(args.count):
            try:
                told = read(write(rng, folder), reader)
                ends["records read"] += 4 - len(told)
                ends["records refused"] += len(told)
            except ErBenchError as error:
                told = [str(error)]
                ends["files refused"] += 1
            except Exception as error:
                faults[f"{error!r:.160}"] += 1
                continue
            for line in told:
                if "\n" in line or len(line) > 2000:
                    faults[f"a long message: {line:.80}"] += 1
    for fault, times in faults.most_common(20):
        print(f"{times} x {fault}", file=sys.stderr)
    told_ends = ", ".join(f"{n} {what}" for what, n in ends.most_common())
    took = time.monotonic() - began
    print(f"{args.count} files: {told_ends}, {faults.total()} faults, {took:.0f} s")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
