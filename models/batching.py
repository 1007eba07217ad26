"""Requests in any order to batches of like length, run by the one thread that owns the model."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from er_bench.core.errors import ModelError
from er_bench.core.prompt import Decoding

Request = TypeVar("Request")
Reply = TypeVar("Reply")

WINDOW_BATCHES = 8
"""How many batches' worth of waiting requests are sorted by length at a time."""
LINGER_S = 0.02
"""How long a batch that is not full waits for one more request."""


@dataclass(frozen=True)
class _Waiting(Generic[Request, Reply]):
    request: Request
    length: int
    decoding: Decoding
    future: asyncio.Future[Reply]


class Batcher(Generic[Request, Reply]):
    """Batches the requests of many coroutines.

    `run` is called on one worker thread, with requests that share their decoding settings. When
    it runs out of memory the batch is halved and tried again, and no later batch is as large.
    A prompt that does not fit alone is a ModelError. Requests that sample with a seed run alone,
    so that their answers do not depend on what else is waiting.
    """

    def __init__(
        self, run: Callable[[Sequence[Request], Decoding], Sequence[Reply]], batch_size: int
    ) -> None:
        self._generate, self._batch_size = run, batch_size
        self._token_limit: float = float("inf")
        self._queue: queue.SimpleQueue[_Waiting[Request, Reply] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    async def submit(self, request: Request, length: int, decoding: Decoding) -> Reply:
        """Answer one request; `length` is what it is sorted by, its number of tokens.

        Raises ModelError.
        """
        if self._closed:
            raise ModelError("the model is closed")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._queue.put(_Waiting(request, length, decoding, future))
        return await future

    async def close(self) -> None:
        """Finish what was begun, refuse what waits, and stop the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while not self._closed and (first := self._queue.get()) is not None:
            for batch in self._plan(self._gather(first)):
                self._run(batch)
        while not self._queue.empty():
            if (left := self._queue.get()) is not None:
                _deliver(left.future, ModelError("the model was closed"))

    def _gather(self, first: _Waiting[Request, Reply]) -> list[_Waiting[Request, Reply]]:
        window = [first]
        while len(window) < self._batch_size * WINDOW_BATCHES:
            try:
                full = len(window) >= self._batch_size
                found = self._queue.get(block=not full, timeout=None if full else LINGER_S)
            except queue.Empty:
                break
            if found is None:
                self._queue.put(None)
                break
            window.append(found)
        return window

    def _plan(
        self, window: list[_Waiting[Request, Reply]]
    ) -> Iterator[list[_Waiting[Request, Reply]]]:
        """Neighbours in length with equal settings, the longest first: it fails soonest."""
        window.sort(key=lambda w: (repr(w.decoding), -w.length))
        batch: list[_Waiting[Request, Reply]] = []
        for waiting in window:
            if batch and not self._fits(batch, waiting):
                yield batch
                batch = []
            batch.append(waiting)
        if batch:
            yield batch

    def _fits(self, batch: list[_Waiting[Request, Reply]], new: _Waiting[Request, Reply]) -> bool:
        decoding = new.decoding
        return (
            decoding == batch[0].decoding
            and not (decoding.temperature and decoding.seed is not None)
            and len(batch) < self._batch_size
            and (len(batch) + 1) * batch[0].length <= self._token_limit
        )

    def _run(self, batch: list[_Waiting[Request, Reply]]) -> None:
        batch = [w for w in batch if not w.future.cancelled()]
        if not batch:
            return
        error = self._attempt(batch)
        if error is None:
            return
        half = len(batch) // 2
        if is_out_of_memory(error) and half:
            # The error's frames hold the tensors that must go before the next attempt.
            del error
            _free_memory()
            self._token_limit = half * max(w.length for w in batch)
            self._run(batch[:half])
            self._run(batch[half:])
            return
        if is_out_of_memory(error):
            problem = f"out of memory for a single prompt of {batch[0].length} tokens: {error}"
        else:
            problem = f"the model failed: {type(error).__name__}: {error}"
        failure = ModelError(problem)
        for waiting in batch:
            _deliver(waiting.future, failure)

    def _attempt(self, batch: list[_Waiting[Request, Reply]]) -> Exception | None:
        try:
            replies = self._generate([w.request for w in batch], batch[0].decoding)
        except Exception as error:  # becomes the outcome of every sample of the batch
            return error
        for waiting, reply in zip(batch, replies, strict=True):
            _deliver(waiting.future, reply)
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a smaller batch may succeed."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "not enough memory" in text or "out of memory" in text or "can't allocate memory" in text
    )


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _deliver(future: asyncio.Future[Reply], result: Reply | ModelError) -> None:
    def settle() -> None:
        if future.done():
            return
        if isinstance(result, ModelError):
            future.set_exception(result)
        else:
            future.set_result(result)

    # A run that was stopped has closed its loop; nobody waits for the answer.
    with contextlib.suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(settle)
