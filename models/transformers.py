"""Checkpoints run in this process by transformers.

InternVL checkpoints (Vlaser's too) go through `er_bench.models.internvl`; every other family
through its own `AutoProcessor`.
"""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from er_bench.model import Model, ModelSettings
from er_bench.models.batching import Batcher
from er_bench.models.engine import Engine, Reply, Request
from er_bench.models.settings import DeviceArgs, parse_args, placement
from er_bench.prompt import Completion, Prompt


class TransformersModel(Model):
    """A checkpoint in this process. Media are read on threads; one thread runs the model."""

    def __init__(self, settings: ModelSettings, engine: Engine, batch_size: int) -> None:
        self.name, self.dialect = settings.name, settings.dialect
        self._settings, self._engine = settings, engine
        self._readers = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "media")
        self._batcher: Batcher[Request, Reply] = Batcher(engine.generate, batch_size)

    async def ask(self, prompt: Prompt) -> Completion:
        """Answer one prompt. Raises DataError for its media, ModelError for the model."""
        loop = asyncio.get_running_loop()
        request = await loop.run_in_executor(self._readers, self._engine.prepare, prompt)
        start = time.perf_counter()
        decoding = self._settings.decoding(prompt)
        reply = await self._batcher.submit(request, request.length, decoding)
        return Completion(
            text=reply.text,
            finish_reason=reply.finish_reason,
            tokens_in=request.length,
            tokens_out=reply.tokens_out,
            latency_s=time.perf_counter() - start,
            image_sizes=request.image_sizes,
        )

    def identity(self) -> dict[str, Any]:
        """Checkpoint, revision and everything that the answers depend on."""
        return self._settings.identity("transformers", **self._engine.identity())

    async def close(self) -> None:
        """Stop the threads."""
        await self._batcher.close()
        self._readers.shutdown(wait=False, cancel_futures=True)


def build(settings: ModelSettings) -> TransformersModel:
    """Load the checkpoint that the settings name.

    Raises UsageError for unknown settings, ConfigError for a checkpoint that cannot be loaded,
    MissingExtraError without torch and transformers.
    """
    from er_bench.models.internvl.config import is_native, is_original
    from er_bench.models.internvl.load import check_packages, read_config, snapshot

    check_packages()
    folder = snapshot(settings.checkpoint, settings.revision)
    config = read_config(folder)
    if is_original(config) or is_native(config):
        from er_bench.models.internvl.engine import InternVLArgs, InternVLEngine
        from er_bench.models.internvl.load import load

        own, family = parse_args(settings.args, DeviceArgs, InternVLArgs)
        device, dtype = placement(own)
        loaded = load(folder, device=device, dtype=dtype, attention=own.attention)
        engine: Engine = InternVLEngine(loaded, family)
    else:
        from er_bench.models.auto_vlm import AutoArgs, AutoEngine, load_auto

        own, auto = parse_args(settings.args, DeviceArgs, AutoArgs)
        device, dtype = placement(own)
        engine = AutoEngine(*load_auto(folder, device, dtype, own.attention, auto), auto)
    return TransformersModel(settings, engine, own.batch_size)
