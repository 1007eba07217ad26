"""Several servers of one model: which is asked next, and which rests because it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from er_bench.core.errors import UsageError
from er_bench.models.address import Address

FIRST_REST_S = 1.0
LONGEST_REST_S = 60.0


@dataclass(eq=False, slots=True)
class Endpoint:
    """One server, and what is known of it."""

    to: Address
    n_outstanding: int = 0
    n_asked: int = 0
    rests: bool = False


class Endpoints:
    """The servers of a model, of which each request takes the one with fewest outstanding.

    A server that failed rests, until it answers a probe: after one second, then after twice as long
    each time, at most a minute. When all rest, they are asked as if none did, so that the run sees
    their failure.
    """

    def __init__(self, addresses: Sequence[Address]) -> None:
        """Raises UsageError for an address that is there twice."""
        urls = [to.url for to in addresses]
        for to in addresses:
            if urls.count(to.url) > 1:
                raise UsageError(f"base_url names {to.shown} twice")
        self._all = [Endpoint(to) for to in addresses]
        self._probing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._all)

    def addresses(self) -> list[Address]:
        """In the order given."""
        return [endpoint.to for endpoint in self._all]

    @contextmanager
    def taken(self) -> Iterator[Endpoint]:
        """The server for one request, counted while the request is outstanding."""
        taken = min(self._all, key=lambda e: (e.rests, e.n_outstanding, e.n_asked))
        taken.n_outstanding += 1
        taken.n_asked += 1
        try:
            yield taken
        finally:
            taken.n_outstanding -= 1

    def rest(self, endpoint: Endpoint, answers: Callable[[Address], Awaitable[bool]]) -> None:
        """Leave a server out until it answers; a model's only server is never left out."""
        if len(self) == 1 or endpoint.rests:
            return
        endpoint.rests = True
        task = asyncio.get_running_loop().create_task(_until_back(endpoint, answers))
        self._probing.add(task)
        task.add_done_callback(self._probing.discard)

    async def close(self) -> None:
        """Stop probing."""
        tasks = list(self._probing)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_back(endpoint: Endpoint, answers: Callable[[Address], Awaitable[bool]]) -> None:
    wait_s = FIRST_REST_S
    await asyncio.sleep(wait_s)
    while not await answers(endpoint.to):
        wait_s = min(2 * wait_s, LONGEST_REST_S)
        await asyncio.sleep(wait_s)
    endpoint.rests = False
