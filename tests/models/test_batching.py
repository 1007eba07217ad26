from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest
import torch

from er_bench.core.errors import ModelError
from er_bench.core.prompt import Decoding
from er_bench.models.batching import Batcher, is_out_of_memory

GREEDY = Decoding(max_new_tokens=8)
Run = Callable[[Sequence[str], Decoding], list[str]]


class Recorded:
    """Answers each text with itself in capitals; notes every batch and the thread it ran on."""

    def __init__(self, fits: int = 10**9, error: Exception | None = None) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[int] = set()
        self._fits, self._error = fits, error
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, texts: Sequence[str], decoding: Decoding) -> list[str]:
        self.gate.wait()
        self.threads.add(threading.get_ident())
        self.batches.append(list(texts))
        if self._error is not None and max(map(len, texts)) * len(texts) > self._fits:
            raise self._error
        return [text.upper() for text in texts]


async def answers(run: Recorded, texts: Sequence[str], size: int) -> list[str | BaseException]:
    """All texts at once, held back until the last one waits."""
    batcher = Batcher(run, size)
    run.gate.clear()
    tasks = [asyncio.create_task(batcher.submit(t, len(t), GREEDY)) for t in texts]
    await asyncio.sleep(0.05)
    run.gate.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    await batcher.close()
    return found


def test_every_answer_finds_its_question() -> None:
    run = Recorded()
    texts = [chr(97 + k) * (1 + k % 5) for k in range(23)]
    assert asyncio.run(answers(run, texts, 4)) == [t.upper() for t in texts]
    assert max(map(len, run.batches)) == 4
    assert sum(map(len, run.batches)) == 23
    assert len(run.threads) == 1
    assert threading.get_ident() not in run.threads


def test_batches_are_of_like_length() -> None:
    run = Recorded()
    texts = ["a", "bbbbbbbb", "c", "dddddddd", "e", "ffffffff", "g", "hhhhhhhh"]
    asyncio.run(answers(run, texts, 4))
    whole = [b for b in run.batches if len(b) == 4]
    assert whole
    assert all(len({len(t) for t in b}) == 1 for b in whole)


def test_decoding_settings_are_not_mixed() -> None:
    run = Recorded()
    other = Decoding(max_new_tokens=99)

    async def ask() -> None:
        batcher = Batcher(run, 8)
        settings = [GREEDY, other] * 3
        await asyncio.gather(*(batcher.submit(f"t{k}", 2, d) for k, d in enumerate(settings)))
        await batcher.close()

    asyncio.run(ask())
    assert all(len({int(t[1]) % 2 for t in b}) == 1 for b in run.batches)


def test_seeded_samples_run_alone() -> None:
    run = Recorded()
    seeded = Decoding(temperature=0.7, seed=1)

    async def ask() -> None:
        batcher = Batcher(run, 8)
        await asyncio.gather(*(batcher.submit(f"t{k}", 2, seeded) for k in range(4)))
        await batcher.close()

    asyncio.run(ask())
    assert [len(b) for b in run.batches] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"),
    ],
)
def test_out_of_memory_halves_the_batch(error: Exception) -> None:
    run = Recorded(fits=10, error=error)
    texts = [chr(97 + k) * 4 for k in range(16)]
    assert asyncio.run(answers(run, texts, 8)) == [t.upper() for t in texts]
    failed = [b for b in run.batches if len(b) > 2]
    assert failed
    assert len(failed) <= 3, "a size that did not fit is not tried again"


def test_a_prompt_that_never_fits_fails_alone() -> None:
    run = Recorded(fits=10, error=MemoryError())
    found = asyncio.run(answers(run, ["a" * 50, "bb", "cc"], 4))
    assert found[1:] == ["BB", "CC"]
    assert isinstance(found[0], ModelError)
    assert "single prompt of 50 tokens" in str(found[0])


def test_other_errors_are_model_errors_and_not_retried() -> None:
    run = Recorded(fits=0, error=RuntimeError("device-side assert"))
    found = asyncio.run(answers(run, ["a", "b"], 4))
    assert all(isinstance(f, ModelError) and not f.retryable for f in found)
    assert "RuntimeError: device-side assert" in str(found[0])
    assert not is_out_of_memory(RuntimeError("device-side assert"))


def test_a_request_that_was_given_up_is_not_run() -> None:
    run = Recorded()

    async def ask() -> None:
        batcher = Batcher(run, 1)
        run.gate.clear()
        tasks = [asyncio.create_task(batcher.submit(t, 1, GREEDY)) for t in "abc"]
        await asyncio.sleep(0.1)
        tasks[2].cancel()
        run.gate.set()
        assert await asyncio.gather(*tasks[:2]) == ["A", "B"]
        await batcher.close()

    asyncio.run(ask())
    assert ["c"] not in run.batches


def test_closing_refuses_what_still_waits() -> None:
    run = Recorded()

    async def ask() -> list[str | BaseException]:
        batcher = Batcher(run, 1)
        run.gate.clear()
        tasks = [asyncio.create_task(batcher.submit(f"{k}", 1, GREEDY)) for k in range(30)]
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0.05)
        run.gate.set()
        await closing
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(asyncio.wait_for(ask(), 10))
    refused = [f for f in found if isinstance(f, ModelError)]
    assert refused
    assert len(refused) + len(run.batches) == 30


def test_a_closed_batcher_says_so() -> None:
    async def ask() -> None:
        batcher = Batcher(Recorded(), 1)
        await batcher.close()
        await batcher.close()
        with pytest.raises(ModelError, match="closed"):
            await batcher.submit("a", 1, GREEDY)

    asyncio.run(ask())
