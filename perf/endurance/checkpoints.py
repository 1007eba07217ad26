"""Hostile checkpoints: `perf/endurance/checkpoints.py [COUNT]` (20,000 by default).

COUNT configurations of either layout with odd values are read, and a fiftieth as many folders with
a damaged file are loaded. Prints one line; exit 1 on an exception outside the error tree, or on a
message of more than one line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from transformers.utils import logging

from er_bench.core.errors import ErBenchError
from er_bench.models.internvl.load import load
from er_bench.models.internvl.tiny import make_tiny
from tests.models.hostile_checkpoints import damage, hostile_configs, read
from tests.models.original import write


def main() -> None:
    """Read, load, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.set_verbosity_error()
    began, ends, faults = time.monotonic(), Counter[str](), Counter[str]()

    def attempt(what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except ErBenchError as error:
            ends["refused"] += 1
            if "\n" in str(error) or len(str(error)) > 1000:
                faults[f"{what}: a long message: {error!s:.80}"] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            faults[f"{what}: {error!r:.120}"] += 1
        else:
            ends["accepted"] += 1

    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        folders = [write(here / "original"), make_tiny(here / "native", tile_px=56)]
        for folder in folders:
            config = json.loads((folder / "config.json").read_text())
            for changed in hostile_configs(config, args.count // 2, args.seed):
                attempt("config", lambda changed=changed: read(changed))
            for k in range(args.count // 100):
                what = damage(folder, here / "damaged", args.seed + k)
                attempt(what, lambda: load(here / "damaged"))
    for fault, times in faults.most_common(20):
        print(f"{times} x {fault}", file=sys.stderr)
    print(
        f"{sum(ends.values()) + sum(faults.values())} checkpoints: {ends['refused']} refused, "
        f"{ends['accepted']} accepted, {sum(faults.values())} faults, "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
