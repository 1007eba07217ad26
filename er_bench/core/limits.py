"""How large foreign data may be: each limit has a default, and an environment variable over it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from er_bench.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit, what it is about, and the variable that raises it."""

    variable: str
    default: int
    what: str
    ceiling: int = 2**62
    """What the variable can say at most."""

    @property
    def most(self) -> int:
        """What the variable says, or the default. Raises UsageError for what is no such number."""
        told = os.environ.get(self.variable)
        if not told:
            return self.default
        if not (told.isascii() and told.isdecimal()) or not 1 <= int(told[:20]) <= self.ceiling:
            raise UsageError(
                f"{self.variable} is {told!r:.60}; expected a whole number from 1 to {self.ceiling}"
            )
        return int(told[:20])

    def passed(self, found: int) -> str:
        """What to say about a size over the limit."""
        return (
            f"{self.what}: {found}, the limit is {self.most}; "
            f"if you trust the file, set {self.variable}={found}"
        )


MEMBER_BYTES = Limit(
    "ER_BENCH_MAX_MEMBER_BYTES", 512 * 2**20, "bytes of a file in an archive, unpacked"
)
"""An archive of 1 MB can hold 1 GB."""
FRAME_PIXELS = Limit("ER_BENCH_MAX_FRAME_PIXELS", 8192 * 4320, "pixels of a video's frame")
VIDEO_BYTES = Limit(
    "ER_BENCH_MAX_VIDEO_BYTES", 2 * 2**30, "bytes of the frames taken from one video, decoded"
)
FILE_BYTES = Limit("ER_BENCH_MAX_FILE_BYTES", 2**30, "bytes in a file that is read at once")
ROW_BYTES = Limit("ER_BENCH_MAX_ROW_BYTES", 64 * 2**20, "bytes in a line or a record")
ROWS = Limit("ER_BENCH_MAX_ROWS", 10_000_000, "rows in a file")
UNPACKED_BYTES = Limit("ER_BENCH_MAX_UNPACKED_BYTES", 256 * 2**20, "bytes when unpacked")
UNPACKED_TIMES = 50
"""What is compressed may always grow to so many times its size."""
DEPTH = Limit("ER_BENCH_MAX_DEPTH", 100, "levels of nesting", ceiling=400)
POLYGON_PIXELS = Limit("ER_BENCH_MAX_MASK_PIXELS", 2**28, "pixels in a mask of polygons")
OFFICIAL_BYTES = Limit("ER_BENCH_MAX_OFFICIAL_BYTES", 2**24, "bytes in an official text")
VALUES = Limit("ER_BENCH_MAX_VALUES", 2_000_000, "values in a pickle, shared ones each time")
YAML_BYTES = Limit("ER_BENCH_MAX_YAML_BYTES", 2**20, "bytes of YAML")
YAML_VALUES = Limit("ER_BENCH_MAX_YAML_VALUES", 100_000, "values of YAML, aliases written out")
PASS_SAMPLES = Limit(
    "ER_BENCH_MAX_PASS_SAMPLES", 100_000_000, "samples of a data set in a pass of training"
)


def check_unpacked(packed: int, unpacked: int) -> None:
    """Raise ValueError for what grows beyond both the limit and what honest packing reaches."""
    if unpacked > max(UNPACKED_BYTES.most, UNPACKED_TIMES * packed):
        raise ValueError(UNPACKED_BYTES.passed(unpacked))


def check_depth(value: object) -> None:
    """Raise ValueError for JSON that is nested deeper than the limit."""
    level = _containers([value])
    for _ in range(DEPTH.most):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in _containers(outer.values() if isinstance(outer, dict) else outer)
        ]
    if level:
        raise ValueError(f"nested too deep; {DEPTH.passed(DEPTH.most + 1)}")


def _containers(values: Iterable[object]) -> list[dict[object, object] | list[object]]:
    return [value for value in values if isinstance(value, (dict, list))]
