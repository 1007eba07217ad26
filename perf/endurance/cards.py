"""Hostile YAML: `perf/endurance/cards.py [COUNT]` (20,000 by default).

COUNT task cards, model cards, recipes, option files and settings in turn are read, each with odd
values, damage, or YAML that nobody should write. Prints one line; exit 1 on an exception outside
the error tree, or on a message of more than one line or 2,000 characters.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.core.hostile_yaml import readers, write
from tests.tally import Tally, arguments


def main() -> None:
    """Read, print, and exit."""
    args, tally = arguments(__doc__), Tally()
    rng, kinds = random.Random(args.seed), list(readers().items())
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "file.yaml"
        for number in range(args.count):
            kind, (right, read) = kinds[number % len(kinds)]
            write(rng, right, file)
            tally.attempt(kind, lambda read=read: read(file))
    tally.close(f"{args.count} files")


if __name__ == "__main__":
    main()
