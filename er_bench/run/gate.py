"""The gate before a model's server: how many requests it is given at once, and when the next goes.

Open until the server says that it is asked too much (HTTP 429). Then half as many go at once and
none before a wait that all share; each answer afterwards makes room for a part of one more, as TCP
does (additive increase, multiplicative decrease: RFC 5681, 3.1).
"""

from __future__ import annotations

import asyncio
import math
import time


class Gate:
    """Shared by all requests of a run: each one enters, may be refused or answered, and leaves."""

    def __init__(self) -> None:
        self.refusals_in_a_row = 0
        """Shared waits since the last answer."""
        self._room = math.inf
        self._in_flight = 0
        self._opens_at_s = 0.0
        self._cuts = 0
        self._changed = asyncio.Event()

    async def enter(self) -> int:
        """Wait until the next request may go. Returns what `refused` asks for."""
        while True:
            pause_s = self._opens_at_s - time.monotonic()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
            elif self._in_flight + 1 > self._room:
                self._changed.clear()
                await self._changed.wait()
            else:
                self._in_flight += 1
                return self._cuts

    def refused(self, entered: int) -> None:
        """Note a 429. Those of requests that were under way at the last one tell nothing new."""
        if entered == self._cuts:
            self._cuts += 1
            self.refusals_in_a_row += 1
            self._room = max(1.0, self._in_flight // 2)

    def close(self, wait_s: float) -> None:
        """Let no request go for a while."""
        self._opens_at_s = max(self._opens_at_s, time.monotonic() + wait_s)

    def answered(self) -> None:
        """Note an answer."""
        self.refusals_in_a_row = 0
        self._room += 1 / self._room

    def leave(self) -> None:
        """Note that a request is over."""
        self._in_flight -= 1
        self._changed.set()
