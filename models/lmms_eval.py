"""Any chat model of lmms-eval, asked from er-bench's one stream in batches.

`--model lmms-eval/internvl_hf --model-args pretrained=..` runs the class that lmms-eval registers
under that name, in a process of its own (`lmms_eval_process.py`), so that its pins and er-bench's
need not agree. Pictures go over as for a server (`picture_sending.py`); a whole video goes as its
path, and the class takes its frames by its own rule; of a span, or with `frames`, the frames go as
pictures.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, Json

from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect, Benchmark
from er_bench.core.errors import ErBenchError, ModelError, UsageError
from er_bench.core.geometry import PixelGrid, Size, Unit
from er_bench.core.model import Model, ModelSettings
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Image, Part, Text, Video
from er_bench.data import media
from er_bench.models.batching import Batcher
from er_bench.models.generation import DEFAULT_NEW_TOKENS
from er_bench.models.lmms_eval_process import Answer, Worker, installed_version, interpreter
from er_bench.models.picture_sending import PictureLimits, Sent, frame_to_send, to_send
from er_bench.models.sent_frame import check_places, server_grid
from er_bench.models.settings import pick_args

Outcome = Completion | ErBenchError
DEFAULT_FRAMES = 16
"""Of a span of a video that fixes no number itself."""
MACHINE = {"python", "requests", "batch_size", "device", "device_map"}
"""Settings that answers do not depend on."""


class LmmsEvalArgs(BaseModel):
    """Settings of er-bench's; all others go to the model's class, which must know them."""

    model_config = ConfigDict(frozen=True)

    python: str | None = Field(
        None, description="The interpreter that has lmms-eval; else ER_BENCH_LMMS_EVAL, else this"
    )
    requests: int = Field(64, ge=1, description="Most prompts that are handed over at once")
    frames: int | None = Field(
        None, ge=1, description="Frames of a video, sent as pictures; else the class takes its own"
    )
    more_args: Json[dict[str, object]] | dict[str, object] = Field(
        default_factory=dict, description="What the class hands on to others, not checked"
    )
    max_pixels: int | None = Field(
        None, ge=28 * 28, description="The class's own, for models that count pixels as resized"
    )
    min_pixels: int | None = Field(None, ge=28 * 28, description="Fewest pixels of the same")


def build(settings: ModelSettings) -> LmmsEval:
    """A model that is loaded before the first sample.

    Raises UsageError without lmms-eval, for a key on the command line, and for wrong settings.
    """
    if keys := [name for name in settings.args if "key" in name or "token" in name]:
        raise UsageError(
            f"{', '.join(keys)}: a key is never given on the command line; put it into the "
            "variable that lmms-eval reads, such as OPENAI_API_KEY"
        )
    return LmmsEval(settings)


@dataclass(frozen=True, slots=True)
class _Request:
    """A prompt as the worker takes it; its pictures lie in files that are removed afterwards."""

    document: dict[str, Any]
    files: tuple[Path, ...]
    image_sizes: tuple[Size, ...]


class LmmsEval(Model):
    """A chat model of lmms-eval. Media are read on threads; one thread asks the process."""

    def __init__(self, settings: ModelSettings) -> None:
        self.name, self.dialect, self._settings = settings.name, settings.dialect, settings
        self._args = pick_args(settings.args, LmmsEvalArgs)
        self.concurrency = 2 * self._args.requests
        self._python = interpreter(self._args.python)
        self._version = installed_version(self._python)
        own = LmmsEvalArgs.model_fields.keys() - {"max_pixels", "min_pixels"}
        self._class_args = {k: v for k, v in settings.args.items() if k not in own}
        grid = _grid(settings.dialect, self._args)
        self._limits = PictureLimits(grid=grid)
        self.pictures = f"pictures are handed over {grid}" if grid else ""
        self._folder = tempfile.TemporaryDirectory(prefix="er-bench-lmms-eval-")
        self._readers = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "media")
        self._frames = media.FrameCache()
        self._batcher = Batcher[_Request, Outcome](self._answered, self._args.requests)
        self._worker: Worker | None = None

    def identity(self) -> dict[str, Any]:
        """Class, version of lmms-eval and every setting that answers depend on."""
        args = {k: v for k, v in sorted(self._settings.args.items()) if k not in MACHINE}
        return self._settings.identity("lmms-eval", lmms_eval=self._version, args=args)

    async def check(self) -> None:
        """Start the process and load the model. Raises ConfigError."""
        if self._worker is None:
            await asyncio.to_thread(self._open)

    def check_prompt(self, prompt: Prompt) -> None:
        """See that places are asked for in a frame that is known. Raises UsageError."""
        check_places(prompt, self.dialect, self._limits.grid)
        generation(self._settings.decoding(prompt))

    async def ask(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises DataError for its media, ModelError for the model, ConfigError (ends the run) when
        a process that ended cannot be started again.
        """
        loop = asyncio.get_running_loop()
        request = await loop.run_in_executor(self._readers, self._written, prompt)
        try:
            length = len(request.document["text"])
            found = await self._batcher.submit(request, length, self._settings.decoding(prompt))
        finally:
            for file in request.files:
                file.unlink(missing_ok=True)
        if isinstance(found, ErBenchError):
            raise found
        return found

    def _open(self) -> Worker:
        if self._worker is None:
            more = {"args": self._class_args, "more_args": self._args.more_args}
            self._worker = Worker(self._python, self._settings.checkpoint, more)
        return self._worker

    def _answered(self, requests: Sequence[_Request], decoding: Decoding) -> list[Outcome]:
        """The outcome of each request of a batch; a process that ended is started again."""
        start = time.perf_counter()
        try:
            worker = self._open()
            documents = [request.document for request in requests]
            made = worker.answers(documents, generation(decoding))
            if len(made.answers) != len(requests):
                raise ModelError(f"{len(made.answers)} answers to {len(requests)} requests")
        except ErBenchError as error:
            if isinstance(error, ModelError) and error.retryable:
                self._worker = None
            return [error] * len(requests)
        seconds = time.perf_counter() - start
        return [
            _outcome(answer, made.logged, request, seconds)
            for answer, request in zip(made.answers, requests, strict=True)
        ]

    def _written(self, prompt: Prompt) -> _Request:
        """A prompt as a document, its pictures in files. Raises DataError."""
        files: list[Path] = []
        sizes: list[Size] = []
        write = partial(self._content, prompt.expects, files, sizes)
        messages = [
            {"role": message.role, "content": [p for part in message.parts for p in write(part)]}
            for message in prompt.messages
        ]
        document = {"text": prompt.text(), "messages": messages}
        return _Request(document, tuple(files), tuple(sizes))

    def _content(
        self, expect: Expect, files: list[Path], sizes: list[Size], part: Part
    ) -> list[dict[str, str]]:
        def picture(sent: Sent) -> dict[str, str]:
            handle, name = tempfile.mkstemp(dir=self._folder.name)
            files.append(Path(name))
            with os.fdopen(handle, "wb") as file:
                file.write(sent.content)
            sizes.append(sent.size_wh)
            return {"type": "image", "path": name}

        match part:
            case Text(text):
                return [{"type": "text", "text": text}]
            case Image(blob):
                sent = to_send(blob.read(), blob.name, self._limits)
                return [picture(sent)]
        if self._args.frames is None and part == Video(part.path):
            return [{"type": "video", "path": str(part.path)}]
        frames = self._frames.frames(part, self._args.frames or DEFAULT_FRAMES, "linspace")
        names = (f"{part.path}, frame {number}" for number in range(1, len(frames) + 1))
        return [
            picture(frame_to_send(frame, name, self._limits))
            for frame, name in zip(frames, names, strict=True)
        ]

    async def close(self) -> None:
        """End the process and remove what was written for it."""
        if self._worker is not None:
            await asyncio.to_thread(self._worker.end)
        await self._batcher.close()
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._folder.cleanup()


def generation(decoding: Decoding) -> dict[str, Any]:
    """Decoding limits in the words of lmms-eval. Raises UsageError for a seed."""
    if decoding.seed is not None:
        raise UsageError("lmms-eval's models take no seed: leave it out of --gen-args")
    sampled = {} if decoding.top_p is None else {"top_p": decoding.top_p}
    return {
        "max_new_tokens": decoding.max_new_tokens or DEFAULT_NEW_TOKENS,
        "temperature": decoding.temperature or 0.0,
        "do_sample": bool(decoding.temperature),
        "num_beams": decoding.num_beams or 1,
        **(sampled if decoding.temperature else {}),
    }


def _grid(dialect: AnyDialect, args: LmmsEvalArgs) -> PixelGrid | None:
    """The class's own resize, done before, where a model counts the pixels that it leaves."""
    if isinstance(dialect, Benchmark) or dialect.unit is not Unit.PIXEL_SENT:
        return None
    return server_grid(dialect, args.min_pixels, args.max_pixels)


def _outcome(answer: Answer, logged: Sequence[str], request: _Request, seconds: float) -> Outcome:
    """A completion, or why there is none: some classes answer an empty text when they fail."""
    if answer.failed:
        return ModelError(f"lmms-eval: {answer.failed}")
    if not answer.text and logged:
        return ModelError(f"lmms-eval answered nothing and logged: {logged[0]}")
    return Completion(
        answer.text,
        None if answer.text else "empty",
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        latency_s=seconds,
        image_sizes=request.image_sizes,
    )
