"""Checkpoints run in this process by transformers: batches here, all else by their family.

Settings: `DeviceArgs`, and those of the family.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from er_bench.core.completion import Completion
from er_bench.core.family import Engine, Reply, Request
from er_bench.core.model import Model, ModelSettings
from er_bench.core.prompt import Prompt
from er_bench.models.batching import Batcher
from er_bench.models.checkpoint import check_packages, read_config, snapshot
from er_bench.models.families import every, family_of
from er_bench.models.settings import DeviceArgs, check_names, parse_args, pick_args, placement

BATCHES_IN_FLIGHT = 4
"""How many batches' worth of samples are kept in flight, to be sorted by length."""


def build(settings: ModelSettings) -> TransformersModel:
    """A model that is loaded when it is first asked.

    Raises UsageError for unknown settings, MissingExtraError without torch and transformers.
    """
    check_names(settings.args, DeviceArgs, *(family.args for family in every(settings.registry)))
    check_packages()
    return TransformersModel(settings)


class TransformersModel(Model):
    """A checkpoint in this process. Media are read on threads; one thread runs the model.

    `engine` is a model that is loaded already, such as one in training.
    """

    def __init__(self, settings: ModelSettings, engine: Engine | None = None) -> None:
        self.name, self.dialect = settings.name, settings.dialect
        self._settings, self._loaded = settings, engine
        self._device_args = pick_args(settings.args, DeviceArgs)
        self.concurrency = BATCHES_IN_FLIGHT * self._device_args.batch_size
        self._readers = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "media")
        self._opening = asyncio.Lock()
        self._opened: tuple[Engine, Batcher[Request, Reply]] | None = None

    async def ask(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises DataError for its media, ModelError for the model, ConfigError (ends the run) when
        the checkpoint cannot be loaded.
        """
        engine, batcher = await self._open()
        loop = asyncio.get_running_loop()
        request = await loop.run_in_executor(self._readers, engine.prepare, prompt)
        start = time.perf_counter()
        decoding = self._settings.decoding(prompt)
        reply = await batcher.submit(request, request.length, decoding)
        return Completion(
            text=reply.text,
            finish_reason=reply.finish_reason,
            tokens_in=request.length,
            tokens_out=reply.tokens_out,
            latency_s=time.perf_counter() - start,
            image_sizes=request.image_sizes,
        )

    async def _open(self) -> tuple[Engine, Batcher[Request, Reply]]:
        async with self._opening:
            if self._opened is None:
                engine = self._loaded
                if engine is None:
                    engine = await asyncio.to_thread(open_engine, self._settings)
                batcher = Batcher(engine.generate, self._device_args.batch_size)
                self._opened = engine, batcher
            return self._opened

    def identity(self) -> dict[str, Any]:
        """Checkpoint, revision, precision and every setting that answers depend on."""
        machine = {"batch_size", "device", "dtype"}
        return self._settings.identity(
            "transformers",
            dtype=str(placement(self._device_args)[1]).removeprefix("torch."),
            args={k: v for k, v in sorted(self._settings.args.items()) if k not in machine},
        )

    async def close(self) -> None:
        """Stop the threads."""
        if self._opened is not None:
            await self._opened[1].close()
        self._readers.shutdown(wait=False, cancel_futures=True)


def open_engine(settings: ModelSettings) -> Engine:
    """Load the checkpoint that the settings name.

    Raises UsageError for settings that its family does not have, ConfigError for a checkpoint
    that cannot be loaded.
    """
    folder = snapshot(settings.checkpoint, settings.revision)
    family = family_of(settings.registry, read_config(folder))
    device_args, args = parse_args(settings.args, DeviceArgs, family.args)
    return family.engine(folder, args, *placement(device_args), device_args.attention)
