"""A server that is asked too much: waits that all share, fewer requests in flight."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from er_bench.core.completion import Completion
from er_bench.core.errors import ModelError
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.run.asking import Asking, Health, Limits

PROMPT = Prompt((user("Which?"),), Expect.LETTER)
Ask = Callable[[Prompt], Awaitable[Completion]]


def answers(ask: Ask, n: int, limits: Limits, turns: int = 1) -> list[str]:
    """Ask for n samples at once, so often each: each one's last answer, or error."""
    health = Health()

    async def one(number: int) -> str:
        agent = Asking(ask, limits, health, Path(), ("t", str(number), 0))
        try:
            return [await agent.ask(PROMPT) for _ in range(turns)][-1].completion.text
        except ModelError as error:
            return f"lost: {error}"

    async def run() -> list[str]:
        return list(await asyncio.gather(*(one(k) for k in range(n))))

    return asyncio.run(run())


class Server:
    """Answers so many requests in each window of time and refuses the others."""

    def __init__(self, per_window: int, window_s: float, retry_after_s: float | None) -> None:
        self.per_window, self.window_s, self.wish_s = per_window, window_s, retry_after_s
        self.starts_s: list[float] = []
        self.n_refused = self.in_flight = 0
        self.in_flight_at: list[int] = []
        self._answered: dict[int, int] = {}

    async def ask(self, prompt: Prompt) -> Completion:
        window = int(time.monotonic() / self.window_s)
        self.starts_s.append(time.monotonic())
        self.in_flight += 1
        self.in_flight_at.append(self.in_flight)
        await asyncio.sleep(0.002)
        self.in_flight -= 1
        if (told := self._answered.get(window, 0)) >= self.per_window:
            self.n_refused += 1
            raise ModelError("429", retryable=True, busy=True, retry_after_s=self.wish_s)
        self._answered[window] = told + 1
        return Completion("A")


@pytest.mark.parametrize("wish_s", [None, 0.0])
def test_a_rate_limit_loses_no_sample_and_is_not_stormed(wish_s: float | None) -> None:
    server = Server(per_window=8, window_s=0.2, retry_after_s=wish_s)
    told = answers(server.ask, 40, Limits(backoff_base_s=0.1))
    assert told == ["A"] * 40
    assert server.n_refused < 80
    assert max(server.in_flight_at) == 40
    assert max(server.in_flight_at[40:]) <= 20


@pytest.mark.parametrize("wish_s", [0.0, 0.05])
def test_all_requests_share_a_wait_that_is_never_under_the_base(wish_s: float) -> None:
    refused_at_s: list[float] = []
    started_s: list[float] = []

    async def ask(prompt: Prompt) -> Completion:
        started_s.append(time.monotonic())
        if not refused_at_s:
            refused_at_s.append(time.monotonic())
            raise ModelError("429", retryable=True, busy=True, retry_after_s=wish_s)
        await asyncio.sleep(0.01)
        return Completion("A")

    async def run() -> None:
        health, limits = Health(), Limits(backoff_base_s=0.2)
        agents = [Asking(ask, limits, health, Path(), ("t", str(k), 0)) for k in range(5)]
        first = asyncio.create_task(agents[0].ask(PROMPT))
        await asyncio.sleep(0.01)
        await asyncio.gather(first, *(agent.ask(PROMPT) for agent in agents[1:]))

    asyncio.run(run())
    assert len(started_s) == 6
    assert min(started_s[1:]) - refused_at_s[0] >= 0.2


def test_after_a_refusal_half_as_many_go_at_once_and_after_answers_more_again() -> None:
    in_flight, seen = 0, []

    async def ask(prompt: Prompt) -> Completion:
        nonlocal in_flight
        in_flight += 1
        seen.append(in_flight)
        refused = len(seen) <= 40
        await asyncio.sleep(0.001)
        in_flight -= 1
        if refused:
            raise ModelError("429", retryable=True, busy=True)
        return Completion("A")

    assert answers(ask, 40, Limits(backoff_base_s=0.05), turns=4) == ["A"] * 40
    assert max(seen[40:60]) == 20 < max(seen[40:])


def test_one_that_refuses_everything_ends_soon() -> None:
    server = Server(per_window=0, window_s=1, retry_after_s=0)
    limits = Limits(backoff_base_s=0.001, patience=3)
    start = time.monotonic()
    told = answers(server.ask, 50, limits)
    assert all(text.startswith("lost: 429") for text in told)
    assert len(server.starts_s) < 250 and time.monotonic() - start < 5


def test_without_retries_a_refusal_is_final() -> None:
    server = Server(per_window=0, window_s=1, retry_after_s=0)
    assert answers(server.ask, 1, Limits(max_retries=0)) == ["lost: 429"]


def test_another_failures_retry_after_has_the_same_floor() -> None:
    limits = Limits(backoff_base_s=0.5, retry_after_cap_s=9)
    assert [limits.wait_s(1, asked_s) for asked_s in (0.0, 0.2, 3, 99)] == [0.5, 0.5, 3, 9]
