"""Asking a model on a task's behalf: retries, limits, and keeping what was asked and answered."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from pathlib import Path

from er_bench.core.completion import Completion, well_formed
from er_bench.core.errors import ModelError
from er_bench.core.model import Asked
from er_bench.core.prompt import Prompt
from er_bench.core.record import Key
from er_bench.core.rollout import Turn
from er_bench.core.sample import Image, MediaRef, Text, Video
from er_bench.run.frames import FrameKeeper
from er_bench.run.records import relative


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard one request is tried.

    The wait before try k is uniform in [0, min(cap, base * 2^(k-1))] ("full jitter", M. Brooker,
    Exponential Backoff and Jitter, AWS 2015), or what the server asks for with Retry-After.
    After `patience` requests in a row that failed for good, requests are tried once only, until
    one succeeds: a dead server ends a run soon.
    """

    max_retries: int = 5
    backoff_base_s: float = 1.0
    backoff_cap_s: float = 60.0
    retry_after_cap_s: float = 300.0
    request_timeout_s: float | None = None
    patience: int = 8

    def wait_s(self, attempt: int, retry_after_s: float | None) -> float:
        """How long to wait before the next try."""
        if retry_after_s is not None:
            return min(retry_after_s, self.retry_after_cap_s)
        ceiling = min(self.backoff_cap_s, self.backoff_base_s * 2 ** (attempt - 1))
        return random.uniform(0, ceiling)


@dataclass(slots=True)
class Health:
    """Whether the model has answered lately; shared by all requests of a run."""

    failures_in_a_row: int = 0


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
    ) -> None:
        self._ask, self._limits, self._health = ask, limits, health
        self._root, self._key, self._frames = root, key, frames
        self.turns: list[Turn] = []
        self.prompts: dict[str, Prompt] = {}
        """By their identity."""
        self._n_frames = 0

    async def ask(self, prompt: Prompt) -> Turn:
        """Ask, with retries. Raises ModelError when the last try failed."""
        completion = await self._completion(prompt)
        sha256, parts = prompt.sha256(), list(prompt.parts())
        media = [await self._kept(p) for p in parts if not isinstance(p, Text)]
        turn = Turn(completion, sha256, tuple(media))
        self.turns.append(turn)
        self.prompts[sha256] = prompt
        return turn

    async def _completion(self, prompt: Prompt) -> Completion:
        attempt = 0
        while True:
            try:
                completion = await self._try(prompt)
            except ModelError as error:
                attempt += 1
                worn = self._health.failures_in_a_row >= self._limits.patience
                if not error.retryable or worn or attempt > self._limits.max_retries:
                    self._health.failures_in_a_row += 1
                    tries = f" (tried {attempt} times)" if attempt > 1 else ""
                    raise ModelError(well_formed(f"{error}{tries}")) from error
                await asyncio.sleep(self._limits.wait_s(attempt, error.retry_after_s))
            else:
                self._health.failures_in_a_row = 0
                latency_s = round(completion.latency_s, 4)
                return replace(completion.mapped(well_formed), latency_s=latency_s)

    async def _try(self, prompt: Prompt) -> Completion:
        timeout_s = self._limits.request_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(prompt)
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
