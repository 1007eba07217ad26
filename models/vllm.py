"""Checkpoints run in this process by vLLM's asynchronous engine.

Every request goes to the engine as it comes and is batched continuously. The prompt is made of
token ids by the checkpoint's family, as for transformers; vLLM fills in the pictures' tokens.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import itertools
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from er_bench.core.completion import Completion
from er_bench.core.errors import ConfigError, ErBenchError, ModelError, UsageError
from er_bench.core.family import TokenPrompt, TokenWriter
from er_bench.core.model import Model, ModelSettings
from er_bench.core.prompt import Prompt
from er_bench.models.checkpoint import Config, read_config, snapshot
from er_bench.models.families import every, family_of
from er_bench.models.generation import DEFAULT_NEW_TOKENS
from er_bench.models.settings import check_names, parse_args, pick_args

if TYPE_CHECKING:
    from vllm import RequestOutput, SamplingParams
    from vllm.v1.engine.async_llm import AsyncLLM


class VllmArgs(BaseModel):
    """Settings of the engine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: int | None = Field(None, description="Longest sequence, in tokens")
    max_images: int = Field(64, ge=1, description="Most images and frames of one prompt")
    tensor_parallel_size: int = Field(1, ge=1, description="GPUs that share the model")
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    enforce_eager: bool = Field(False, description="No graph capture: a quicker start")


def build(settings: ModelSettings) -> VllmModel:
    """A model whose engine starts when it is first asked.

    Raises UsageError for unknown settings or without vLLM.
    """
    check_names(settings.args, VllmArgs, *(family.args for family in every(settings.registry)))
    if importlib.util.find_spec("vllm") is None:
        raise UsageError(
            "the vllm backend needs vLLM: pip install vllm, in an environment of its own where "
            "its pins conflict. A server elsewhere needs none here: --backend openai"
        )
    return VllmModel(settings)


class VllmModel(Model):
    """A checkpoint in vLLM's engine."""

    concurrency = 64

    def __init__(self, settings: ModelSettings) -> None:
        self.name, self.dialect, self._settings = settings.name, settings.dialect, settings
        self._engine_args = pick_args(settings.args, VllmArgs)
        self._readers = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "media")
        self._opening = asyncio.Lock()
        self._opened: tuple[AsyncLLM, TokenWriter] | None = None
        self._numbers = itertools.count()

    async def ask(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises DataError for its media, ModelError for the engine, ConfigError (ends the run) when
        the checkpoint cannot be served.
        """
        engine, writer = await self._open()
        loop = asyncio.get_running_loop()
        written = await loop.run_in_executor(self._readers, writer.write, prompt)
        start = time.perf_counter()
        try:
            output = await self._finished(engine, written, self._sampling(prompt, writer.stops))
        except ErBenchError:
            raise
        except Exception as error:  # vLLM's errors have no common base
            raise ModelError(f"vLLM: {type(error).__name__}: {error}") from error
        text, reason = writer.read(output.outputs[0].token_ids)
        return Completion(
            text=text,
            finish_reason="stop" if output.outputs[0].finish_reason == "stop" else reason,
            tokens_in=len(output.prompt_token_ids),
            tokens_out=len(output.outputs[0].token_ids),
            latency_s=time.perf_counter() - start,
            image_sizes=written.image_sizes,
            constrained=prompt.json_schema is not None,
        )

    async def _open(self) -> tuple[AsyncLLM, TokenWriter]:
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._start)
            return self._opened

    def _start(self) -> tuple[AsyncLLM, TokenWriter]:
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        folder = snapshot(self._settings.checkpoint, self._settings.revision)
        config = read_config(folder)
        family = family_of(self._settings.registry, config)
        _, args = parse_args(self._settings.args, VllmArgs, family.args)
        if family.token_writer is None:
            raise ConfigError(
                f"{folder}: er-bench does not write this family's prompts as token ids, which the "
                "vllm backend needs; serve the model with vllm serve and use --backend openai, or "
                "use --backend transformers"
            )
        writer = family.token_writer(folder, args)
        check_rope(config)
        own = self._engine_args.model_dump(exclude={"max_images"})
        try:
            engine = AsyncLLM.from_engine_args(
                AsyncEngineArgs(
                    model=str(folder),
                    limit_mm_per_prompt={"image": self._engine_args.max_images, "video": 0},
                    trust_remote_code=False,
                    **own,
                )
            )
        except Exception as error:  # vLLM's errors have no common base
            raise ConfigError(f"{folder}: vLLM could not start: {error}") from error
        return engine, writer

    def _sampling(self, prompt: Prompt, stops: Sequence[int]) -> SamplingParams:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        decoding = self._settings.decoding(prompt)
        if decoding.num_beams not in (None, 1):
            raise UsageError("the vllm backend has no beam search; use --backend transformers")
        schema = prompt.json_schema
        return SamplingParams(
            temperature=decoding.temperature or 0.0,
            top_p=decoding.top_p if decoding.top_p is not None else 1.0,
            max_tokens=decoding.max_new_tokens or DEFAULT_NEW_TOKENS,
            seed=decoding.seed,
            stop_token_ids=list(stops),
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            structured_outputs=StructuredOutputsParams(json=dict(schema)) if schema else None,
        )

    async def _finished(
        self, engine: AsyncLLM, written: TokenPrompt, sampling: SamplingParams
    ) -> RequestOutput:
        name = f"er-bench-{next(self._numbers)}"
        outputs = engine.generate(request(written), sampling, name)
        return [output async for output in outputs][-1]

    def identity(self) -> dict[str, Any]:
        """Checkpoint, revision and every setting that answers depend on."""
        machine = {"tensor_parallel_size", "gpu_memory_utilization", "enforce_eager", "max_images"}
        kept = {k: v for k, v in sorted(self._settings.args.items()) if k not in machine}
        return self._settings.identity("vllm", args=kept)

    async def close(self) -> None:
        """Stop the engine."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        if self._opened is not None:
            await asyncio.to_thread(self._opened[0].shutdown)
            self._opened = None


def request(written: TokenPrompt) -> dict[str, object]:
    """A prompt in the words of vLLM."""
    found: dict[str, object] = {"prompt_token_ids": written.ids}
    if written.images:
        found["multi_modal_data"] = {"image": written.images}
        found["mm_processor_kwargs"] = dict(written.processor)
    return found


def check_rope(config: Config) -> None:
    """Check that the installed vLLM answers as the checkpoint's own code does.

    Raises ConfigError for a vLLM that applies dynamic RoPE scaling at every length (fixed by vLLM
    PR 41277).
    """
    text = config.get("text_config", config)
    rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
    if rope.get("rope_type") == "dynamic" and has_rope_fault():
        import vllm

        raise ConfigError(
            f"vLLM {vllm.__version__} applies dynamic RoPE scaling at every length (vLLM issue "
            "41236, fixed by PR 41277): short prompts would be answered wrongly. Update vLLM, or "
            "drop the scaling: er-bench convert writes a checkpoint without it"
        )


def has_rope_fault() -> bool:
    """Whether the installed vLLM has the dynamic-NTK fault.

    The fixed class takes the trained length apart from the served one.
    """
    from vllm.model_executor.layers.rotary_embedding import DynamicNTKScalingRotaryEmbedding

    taken = inspect.signature(DynamicNTKScalingRotaryEmbedding.__init__).parameters
    return "max_trained_positions" not in taken
