"""Asking a model on a task's behalf: retries, limits, and keeping what was asked and answered."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from er_bench.core.completion import Completion, well_formed
from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ModelError, UsageError
from er_bench.core.model import Asked
from er_bench.core.picture import png
from er_bench.core.policy import Actions, Ends, Observation, Policy
from er_bench.core.prompt import Prompt
from er_bench.core.record import Key
from er_bench.core.rollout import Control, Turn
from er_bench.core.sample import Image, MediaRef, Text, Video
from er_bench.data.rows import BytesBlob
from er_bench.run.frames import FrameKeeper
from er_bench.run.records import relative

LIMIT_RANGES: Mapping[str, tuple[type, float, float]] = {
    "max_retries": (int, 0, 1000),
    "backoff_base_s": (float, 0, 3600),
    "backoff_cap_s": (float, 0, 86_400),
    "retry_after_cap_s": (float, 0, 86_400),
    "request_timeout_s": (float, 0.001, 604_800),
    "patience": (int, 0, 1_000_000),
}
"""Kind, least and most of each of the limits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard one request is tried.

    The wait before try k is uniform in [0, min(cap, base * 2^(k-1))] ("full jitter", M. Brooker,
    Exponential Backoff and Jitter, AWS 2015), or what the server asks for with Retry-After, but
    never less than the base. After `patience` requests in a row that failed for good, requests
    are tried once only, until one succeeds: a dead server ends a run soon.

    A server that is asked too much (HTTP 429) makes all requests wait together, min(cap, base *
    2^(k-1)) at its k-th refusal in a row or what it asks for, and no try is counted: a request
    fails when `patience` such waits in a row brought no answer to any, or after `patience *
    max_retries` refusals of its own.
    """

    max_retries: int = 5
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 60.0
    retry_after_cap_s: float = 300.0
    request_timeout_s: float | None = None
    patience: int = 8

    def __post_init__(self) -> None:
        """Raise UsageError for a value that no request can be tried with."""
        for name, (kind, least, most) in LIMIT_RANGES.items():
            value = getattr(self, name)
            if value is None and name == "request_timeout_s":
                continue
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not (whole or (kind is float and isinstance(value, float))):
                wanted = "a whole number" if kind is int else "a number"
                raise UsageError(f"{name} takes {wanted}, not {value!r}")
            if not least <= value <= most:
                raise UsageError(f"{name} lies between {least:g} and {most:g}, not {value!r}")

    def wait_s(self, attempt: int, retry_after_s: float | None) -> float:
        """How long to wait before the next try."""
        if retry_after_s is not None:
            return self._asked_s(retry_after_s)
        return random.uniform(0, self._ceiling_s(attempt))

    def shared_wait_s(self, refusals: int, retry_after_s: float | None) -> float:
        """How long all requests wait after so many refusals in a row."""
        return self._asked_s(retry_after_s) if retry_after_s else self._ceiling_s(refusals)

    def _asked_s(self, retry_after_s: float) -> float:
        return max(self.backoff_base_s, min(retry_after_s, self.retry_after_cap_s))

    def _ceiling_s(self, attempt: int) -> float:
        return min(self.backoff_cap_s, self.backoff_base_s * 2.0 ** min(max(attempt - 1, 0), 30))


class Gate:
    """How many requests a server is given at once, and when the next goes; shared by a run's.

    Each request enters, may be refused or answered, and leaves. Open until the server says that it
    is asked too much (HTTP 429). Then half as many go at once and none before a wait that all
    share; each answer afterwards makes room for a part of one more, as TCP does (additive
    increase, multiplicative decrease: RFC 5681, 3.1).
    """

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


R = TypeVar("R", Completion, Actions)


@dataclass(slots=True)
class Health:
    """Whether the model has answered lately; shared by all requests of a run."""

    failures_in_a_row: int = 0
    gate: Gate = field(default_factory=Gate)


class Asking:
    """The `Agent` of one sample: asks with retries, and keeps every turn and prompt."""

    def __init__(
        self,
        ask: Asked,
        limits: Limits,
        health: Health,
        root: Path,
        key: Key,
        frames: FrameKeeper | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._ask, self._limits, self._health = ask, limits, health
        self._policy, self.looks_every = policy, policy.looks_every if policy else 0
        self._root, self._key, self._frames = root, key, frames
        self.turns: list[Turn] = []
        self.prompts: dict[str, Prompt] = {}
        """By their identity."""
        self.waited_s = 0.0
        """Spent waiting between tries."""
        self._n_frames = 0

    def forget(self) -> None:
        """Begin again: what was asked so far is no part of the sample."""
        self.turns.clear()
        self.prompts.clear()
        self._n_frames = 0

    async def ask(self, prompt: Prompt) -> Turn:
        """Ask, with retries. Raises ModelError when the last try failed."""
        completion = await self._tried(lambda: self._ask(prompt))
        sha256, parts = prompt.sha256(), list(prompt.parts())
        media = [await self._kept(p) for p in parts if not isinstance(p, Text)]
        turn = Turn(completion, sha256, tuple(media))
        self.turns.append(turn)
        self.prompts[sha256] = prompt
        return turn

    def begin(self, episode: Episode, start: Started) -> Acting:
        """Begin an episode. Raises ModelError when the policy cannot act there."""
        if self._policy is None:
            raise ModelError("it answers prompts; this episode needs a policy")
        return Acting(self, self._policy.for_episode(episode, start), start)

    async def acted(
        self, policy: Policy, start: Started, observation: Observation, *, keep: bool
    ) -> Turn:
        """Let a policy act, with retries. Raises ModelError when the last try failed."""
        seen = observation if policy.knows_expert else observation.without_expert()

        async def act() -> Actions:
            actions = await policy.act(seen)
            if start.action_space is not None:
                actions.check(start.action_space)
            return actions

        begun = time.monotonic()
        actions = await self._tried(act)
        latency_s = time.monotonic() - begun
        media = []
        for name, picture in observation.images.items() if keep else ():
            media.append(await self._kept(Image(BytesBlob(f"{name}.png", png(picture)))))
        chunk = tuple(tuple(map(float, action)) for action in actions.actions_td)
        turn = Turn(Completion("", latency_s=latency_s), "", tuple(media), (), Control(chunk))
        self.turns.append(turn)
        return turn

    async def _tried(self, call: Callable[[], Awaitable[R]]) -> R:
        attempt = refusals = 0
        while True:
            try:
                answer = await self._through_gate(call)
            except ModelError as error:
                attempt, refusals = attempt + (not error.busy), refusals + error.busy
                if not error.retryable or self._is_lost(attempt, refusals):
                    self._health.failures_in_a_row += 1
                    n_tries = attempt + refusals
                    tries = f" (tried {n_tries} times)" if n_tries > 1 else ""
                    told = well_formed(f"{error}{tries}")
                    raise ModelError(told, begin_again=error.begin_again) from error
                self._close_gate(error)
                if not error.busy:
                    start = time.monotonic()
                    await asyncio.sleep(self._limits.wait_s(attempt, error.retry_after_s))
                    self.waited_s += time.monotonic() - start
            else:
                self._health.failures_in_a_row = 0
                return answer

    def _is_lost(self, attempt: int, refusals: int) -> bool:
        """Whether a request that failed so often, and was refused so often, is given up."""
        limits, health = self._limits, self._health
        return (
            health.failures_in_a_row >= limits.patience
            or attempt > limits.max_retries
            or refusals > limits.patience * limits.max_retries
            or (refusals > 0 and health.gate.refusals_in_a_row > limits.patience)
        )

    def _close_gate(self, error: ModelError) -> None:
        """After a refusal, make all requests wait."""
        gate = self._health.gate
        if error.busy:
            gate.close(self._limits.shared_wait_s(gate.refusals_in_a_row, error.retry_after_s))

    async def _through_gate(self, call: Callable[[], Awaitable[R]]) -> R:
        gate, start = self._health.gate, time.monotonic()
        entered = await gate.enter()
        self.waited_s += time.monotonic() - start
        try:
            answer = await self._try(call)
        except ModelError as error:
            if error.busy:
                gate.refused(entered)
            raise
        else:
            gate.answered()
            return answer
        finally:
            gate.leave()

    async def _try(self, call: Callable[[], Awaitable[R]]) -> R:
        timeout_s = self._limits.request_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await call()
        except TimeoutError:
            raise ModelError(f"no answer within {timeout_s:g} s", retryable=True) from None

    async def _kept(self, part: Image | Video) -> MediaRef:
        """Where a picture or video of a prompt can be found again; frames are kept first."""
        if isinstance(part, Video):
            return relative(part.ref, self._root)
        ref = part.blob.ref
        if ref is None and self._frames is not None:
            number, keep = self._n_frames, self._frames.keep
            self._n_frames += 1
            ref = await asyncio.to_thread(keep, self._key, number, part.blob)
        return relative(ref, self._root) if ref else MediaRef("", "run")


@dataclass(frozen=True, slots=True)
class Acting:
    """The `Actor` of one episode: a policy whose actions are of the episode's space."""

    agent: Asking
    policy: Policy
    start: Started

    async def act(self, observation: Observation, *, keep: bool = True) -> Turn:
        """Say what to do next. Raises ModelError."""
        return await self.agent.acted(self.policy, self.start, observation, keep=keep)

    async def end(self, success: bool | None) -> None:
        """Say that the episode is over, to a policy that wants to know."""
        if isinstance(self.policy, Ends):
            await self.policy.end(success)
