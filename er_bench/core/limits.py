"""How large foreign data may be: each limit has a default, and an environment variable over it."""

from __future__ import annotations

import os
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
