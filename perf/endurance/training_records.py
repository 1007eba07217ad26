"""Hostile training records: `perf/endurance/training_records.py [COUNT]` (20,000 by default).

COUNT lines of an annotation file with odd values, odd bytes and cut ends are measured, and read as
examples where they are accepted; a tenth as many meta files are read. Prints one line; exit 1 on an
exception outside the error tree, and on a message that is not one line with file and row.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.core.errors import DataError
from er_bench.models.internvl.tiny import make_tiny
from er_bench.models.internvl.training import TRAINING
from er_bench.train.data.examples import Reader
from er_bench.train.data.records import read_meta
from tests.train.conftest import write_images, write_meta, write_video
from tests.train.hostile_records import hostile_lines, hostile_metas, told_well


def main() -> None:
    """Read, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began, ends, faults = time.monotonic(), Counter[str](), Counter[str]()

    def attempt(action: Callable[[], object], file: Path, line: int | None = None) -> None:
        try:
            action()
        except DataError as error:
            ends["refused"] += 1
            if not told_well(error, file, line):
                faults[f"told badly: {error!r:.200}"] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            faults[f"{error!r:.120}"] += 1
        else:
            ends["accepted"] += 1

    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        model = make_tiny(here / "model", tile_px=28)
        codec = TRAINING.codec(model, system_message="Be brief.")
        reader = Reader(codec, 600, 12, (2, 5), "token", args.seed)
        write_images(here, 2)
        write_video(here / "v.mp4", 10)
        meta = write_meta(here, [], unread=["weight"])
        (here / "toy.jsonl").write_bytes(b"\n".join(hostile_lines(args.count, args.seed)))
        (source,) = read_meta(meta)

        def read(index: int) -> None:
            cost = reader.measure(source, index)
            if len(reader.example(source, index, index).ids) != cost.tokens:
                raise AssertionError(f"another length than measured: {source.record(index).row}")

        for index, line in enumerate(source.lines.tolist()):
            attempt(lambda index=index: read(index), source.annotation, line)
        write_meta(here, [{"conversations": []}] * 3)
        for content in hostile_metas(args.count // 10, args.seed):
            meta.write_bytes(content)
            attempt(lambda: [source.entries() for source in read_meta(meta)], meta)
    for fault, times in faults.most_common(20):
        print(f"{times} x {fault}", file=sys.stderr)
    print(
        f"{ends.total() + faults.total()} records and meta files: {ends['refused']} refused, "
        f"{ends['accepted']} accepted, {faults.total()} faults, {time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
