"""InternVL checkpoints run in this process by vLLM's asynchronous engine.

Every request goes to the engine as it comes and is batched continuously. The prompt is made of
token ids by er-bench, as for transformers; vLLM fills in the image tokens.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import itertools
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import PIL.Image
from pydantic import BaseModel, ConfigDict, Field

from er_bench.core.completion import Completion
from er_bench.core.errors import ConfigError, ErBenchError, ModelError, UsageError
from er_bench.core.geometry import Size
from er_bench.core.model import Model, ModelSettings
from er_bench.core.prompt import Prompt
from er_bench.models.checkpoint import read_config, snapshot
from er_bench.models.engine import DEFAULT_NEW_TOKENS
from er_bench.models.internvl.config import is_native, is_original
from er_bench.models.internvl.conversation import render
from er_bench.models.internvl.load import read_tokenizer
from er_bench.models.internvl.pictures import InternVLArgs, see, still_sizes
from er_bench.models.internvl.tiling import EXACT_PIXELS
from er_bench.models.internvl.vocabulary import Vocabulary
from er_bench.models.settings import check_names, parse_args


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
    check_names(settings.args, VllmArgs, InternVLArgs)
    if importlib.util.find_spec("vllm") is None:
        raise UsageError(
            "the vllm backend needs vLLM: pip install vllm, in an environment of its own where "
            "its pins conflict. A server elsewhere needs none here: --backend openai"
        )
    return VllmModel(settings)


class VllmModel(Model):
    """An InternVL checkpoint in vLLM's engine."""

    concurrency = 64

    def __init__(self, settings: ModelSettings) -> None:
        self.name, self.dialect, self._settings = settings.name, settings.dialect, settings
        self._engine_args, self._args = parse_args(settings.args, VllmArgs, InternVLArgs)
        self._readers = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "media")
        self._opening = asyncio.Lock()
        self._engine: Any = None
        self._vocabulary: Vocabulary
        self._tile_px = 0
        self._numbers = itertools.count()

    async def ask(self, prompt: Prompt) -> Completion:
        """Answer one prompt.

        Raises DataError for its media, ModelError for the engine, ConfigError (ends the run) when
        the checkpoint cannot be served.
        """
        await self._open()
        loop = asyncio.get_running_loop()
        request, sizes = await loop.run_in_executor(self._readers, self._prepare, prompt)
        start = time.perf_counter()
        try:
            output = await self._finished(request, prompt)
        except ErBenchError:
            raise
        except Exception as error:  # vLLM's errors have no common base
            raise ModelError(f"vLLM: {type(error).__name__}: {error}") from error
        text, reason = self._vocabulary.decode(output.outputs[0].token_ids)
        return Completion(
            text=text,
            finish_reason="stop" if output.outputs[0].finish_reason == "stop" else reason,
            tokens_in=len(output.prompt_token_ids),
            tokens_out=len(output.outputs[0].token_ids),
            latency_s=time.perf_counter() - start,
            image_sizes=sizes,
            constrained=prompt.json_schema is not None,
        )

    async def _open(self) -> None:
        async with self._opening:
            if self._engine is None:
                self._engine = await asyncio.to_thread(self._start)

    def _start(self) -> Any:
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        folder = snapshot(self._settings.checkpoint, self._settings.revision)
        config = read_config(folder)
        check_served(folder, config)
        self._vocabulary = Vocabulary(read_tokenizer(folder, config))
        side = config["vision_config"]["image_size"]
        self._tile_px = side if isinstance(side, int) else side[0]
        engine = self._engine_args.model_dump(exclude={"max_images"})
        try:
            return AsyncLLM.from_engine_args(
                AsyncEngineArgs(
                    model=str(folder),
                    limit_mm_per_prompt={"image": self._engine_args.max_images, "video": 0},
                    trust_remote_code=False,
                    **engine,
                )
            )
        except Exception as error:  # vLLM's errors have no common base
            raise ConfigError(f"{folder}: vLLM could not start: {error}") from error

    def _prepare(self, prompt: Prompt) -> tuple[dict[str, Any], tuple[Size, ...]]:
        seen = see(prompt, self._args)
        tokens = [[1] * len(medium.pictures) for medium in seen]
        rendered = render(prompt.messages, tokens, self._vocabulary, self._args.style)
        ids = rendered.filled([self._vocabulary.id("<IMG_CONTEXT>")])
        budget = max((medium.max_tiles for medium in seen), default=1)
        images = [
            image if medium.max_tiles > 1 else one_tile(image, self._tile_px)
            for medium in seen
            for image in medium.pictures
        ]
        request: dict[str, Any] = {"prompt_token_ids": ids}
        if images:
            request["multi_modal_data"] = {"image": images}
            request["mm_processor_kwargs"] = {"max_patches": budget, **EXACT_PIXELS}
        return request, still_sizes(seen)

    async def _finished(self, request: dict[str, Any], prompt: Prompt) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        decoding = self._settings.decoding(prompt)
        if decoding.num_beams not in (None, 1):
            raise UsageError("the vllm backend has no beam search; use --backend transformers")
        schema = prompt.json_schema
        params = SamplingParams(
            temperature=decoding.temperature or 0.0,
            top_p=decoding.top_p if decoding.top_p is not None else 1.0,
            max_tokens=decoding.max_new_tokens or DEFAULT_NEW_TOKENS,
            seed=decoding.seed,
            stop_token_ids=list(self._vocabulary.stops),
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            structured_outputs=StructuredOutputsParams(json=dict(schema)) if schema else None,
        )
        name = f"er-bench-{next(self._numbers)}"
        return [output async for output in self._engine.generate(request, params, name)][-1]

    def identity(self) -> dict[str, Any]:
        """Checkpoint, revision and every setting that answers depend on."""
        machine = {"tensor_parallel_size", "gpu_memory_utilization", "enforce_eager", "max_images"}
        kept = {k: v for k, v in sorted(self._settings.args.items()) if k not in machine}
        return self._settings.identity("vllm", args=kept)

    async def close(self) -> None:
        """Stop the engine."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        if self._engine is not None:
            await asyncio.to_thread(self._engine.shutdown)
            self._engine = None


def one_tile(image: PIL.Image.Image, tile_px: int) -> PIL.Image.Image:
    """An image that may have one tile only, made it here: vLLM has one limit for a request."""
    return image.resize((tile_px, tile_px))


def check_served(folder: Path, config: Mapping[str, Any]) -> None:
    """Check that the installed vLLM answers as the checkpoint's own code does.

    Raises ConfigError for a checkpoint that would need remote code, for another family, and for
    a vLLM that applies dynamic RoPE scaling at every length (fixed by vLLM PR 41277).
    """
    if is_original(config):
        raise ConfigError(
            f"{folder}: vLLM needs remote code for the original InternVLChat layout. Convert it "
            "first: er-bench convert --model ID_OR_DIR --out DIR, then run vllm/DIR "
            "(a card: --backend vllm --model-args checkpoint=DIR)"
        )
    if not is_native(config):
        raise ConfigError(
            f"{folder}: the vllm backend knows the InternVL family only; serve other models with "
            "vllm serve and use --backend openai, or use --backend transformers"
        )
    rope = config["text_config"].get("rope_parameters") or config["text_config"].get("rope_scaling")
    if (rope or {}).get("rope_type") == "dynamic" and has_rope_fault():
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
