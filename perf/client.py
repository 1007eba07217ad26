"""Samples per second of `er-bench run` against a chat server, beside a bare aiohttp client.

400 JPEG images of 640x480 (noise, about 275 kB), 64 in flight, a local server that answers after
200 ms, in one process tree on one machine: the ratio counts, the absolute rate does not. A round
that is thrown away comes first, for it imports.

    python perf/client.py
"""

from __future__ import annotations

import asyncio
import base64
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import numpy as np
import PIL.Image
from aiohttp import web
from side_by_side import Comparison, Figure, keep

import er_bench

N, IN_FLIGHT, DELAY_S, ROUNDS = 400, 64, 0.2, 9
GOAL, MOST_CPU_MS = 0.95, 2.5

CARD = """
name: noise
title: Noise
summary: Answer A.
groups: [benchmarks]
in_all: false
dataset: {id: null, licence: MIT}
metric: {name: acc, description: share of A, aggregate: mean}
cluster: the image
sources: [this script]
"""

TASK = """
from er_bench.core.answer import Answer
from er_bench.data.rows import FileBlob
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.message import user
from er_bench.core.sample import Image, Sample, Text
from er_bench.core.record import Shown
from er_bench.core.score import Score, Verdict
from er_bench.core.task import QuestionTask, Reading


class Noise(QuestionTask):
    def samples(self):
        for path in sorted(self.root.glob("*.jpg")):
            parts = (Image(FileBlob(path)), Text("Say A."))
            yield Sample(path.stem, parts, "A", path.stem, "noise", path.name)

    def prompt(self, sample):
        return Prompt((user(*sample.parts),), Expect.LETTER)

    def shown(self, sample):
        return Shown("Say A.")

    @property
    def readings(self):
        whole = Reading("the whole answer", "equal to A", "this script", self.whole)
        return {"official": whole, "robust": whole}

    def whole(self, sample, rollout):
        text = rollout.completion.text
        return Verdict.of(Answer(text), Score(float(text == "A")))


TASK = Noise
"""


def serve(port: multiprocessing.Queue[int]) -> None:
    """A server that lists its model, as servers do, and answers every request A after a while."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(DELAY_S)
        return web.json_response(
            {"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}], "usage": {}}
        )

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "x"}]})

    async def run() -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", answer)
        app.router.add_get("/v1/models", models)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.put(site._server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(run())


def make_images(folder: Path) -> None:
    """Write N noise JPEGs."""
    rng = np.random.default_rng(0)
    for k in range(N):
        noise = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
        PIL.Image.fromarray(noise).save(folder / f"{k:03}.jpg", quality=75)


async def bare(url: str, folder: Path) -> float:
    """Seconds that a bare client takes: read, base64, one POST, nothing kept."""
    todo = iter(sorted(folder.glob("*.jpg")))
    start = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            for path in todo:
                data = base64.b64encode(path.read_bytes()).decode()
                image = {"url": f"data:image/jpeg;base64,{data}"}
                content = [
                    {"type": "image_url", "image_url": image},
                    {"type": "text", "text": "Say A."},
                ]
                body = {"model": "x", "messages": [{"role": "user", "content": content}]}
                headers = {"Content-Type": "application/json"}
                data_out = json.dumps(body).encode()
                async with session.post(url, data=data_out, headers=headers) as response:
                    assert (await response.json())["choices"]

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - start


def harness(url: str, include: Path, data: Path, out: Path) -> float:
    """Seconds that er-bench takes for the same, records written, results made."""
    start = time.perf_counter()
    made = er_bench.evaluate(
        "openai/x", "noise", out=out, data=data, include=[include], concurrency=IN_FLIGHT,
        model_args={"base_url": url},
    )  # fmt: skip
    seconds = time.perf_counter() - start
    assert made.results.tasks["noise"].score == 1.0
    return seconds


def main() -> None:
    """Rounds of both, in turn."""
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{port.get(timeout=20)}/v1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images, task = folder / "images", folder / "include" / "noise"
        images.mkdir()
        task.mkdir(parents=True)
        (task / "card.yaml").write_text(CARD)
        (task / "task.py").write_text(TASK)
        make_images(images)
        rounds = [
            one_round(base, task.parent, images, folder / f"out{k}") for k in range(ROUNDS + 1)
        ]
    server.terminate()
    alone, ours, cpu_ms = zip(*rounds[1:], strict=True)
    what = f"`er-bench run` against a chat server, {IN_FLIGHT} in flight"
    sys.exit(
        keep(
            Comparison(what, "bare aiohttp", "samples/s", ours, alone, GOAL),
            Figure(f"{what}: CPU a sample", statistics.median(cpu_ms), "ms", MOST_CPU_MS),
            packages=("aiohttp",),
        )
    )


def one_round(base: str, include: Path, images: Path, out: Path) -> tuple[float, float, float]:
    """Samples a second of the bare client and of er-bench, and er-bench's CPU ms a sample."""
    alone_s = asyncio.run(bare(f"{base}/chat/completions", images))
    began_s = time.process_time()
    ours_s = harness(base, include, images, out)
    return N / alone_s, N / ours_s, 1000 * (time.process_time() - began_s) / N


if __name__ == "__main__":
    main()
