"""Open an InternVL checkpoint: a native folder, or an original InternVLChat one.

No remote code is run and torchvision is not needed: original weights are mapped onto the native
classes of transformers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import Config, check_packages, quiet, read_config
from er_bench.models.internvl.config import is_native, is_original, native_config
from er_bench.models.internvl.vocabulary import Vocabulary
from er_bench.models.internvl.weights import check_untied, load_original

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class InternVL:
    """A loaded checkpoint."""

    model: Any
    """An `InternVLForConditionalGeneration`."""
    tokenizer: PreTrainedTokenizerBase

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Its token ids by name."""
        return Vocabulary(self.tokenizer)

    @property
    def tile_px(self) -> int:
        """Side of a tile, in pixels."""
        return int(self.model.config.vision_config.image_size[0])

    @property
    def tokens_per_tile(self) -> int:
        """Language tokens that one tile becomes."""
        return int(self.model.config.image_seq_length)


def read_tokenizer(folder: Path, config: Config) -> PreTrainedTokenizerBase:
    """The folder's tokenizer, padding on the left.

    An original folder's config points to remote code, which makes `AutoTokenizer` ask for
    permission to run it; its tokenizer is Qwen2's, and is opened as that.
    """
    from transformers import AutoTokenizer, Qwen2Tokenizer

    kind: Any = Qwen2Tokenizer if is_original(config) else AutoTokenizer
    try:
        tokenizer: PreTrainedTokenizerBase = kind.from_pretrained(
            folder, padding_side="left", trust_remote_code=False
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{folder}: cannot open the tokenizer: {error}") from error
    return tokenizer


def load(
    folder: Path, *, device: str = "cpu", dtype: torch.dtype | None = None, attention: str = "sdpa"
) -> InternVL:
    """Load a checkpoint of either layout. `dtype` None keeps the stored one.

    Raises ConfigError for a wrong folder, an unsupported setting, or any missing or unexpected
    tensor.
    """
    check_packages()
    quiet()
    config = read_config(folder)
    if is_original(config):
        loaded = _load_original(folder, config, device, dtype, attention)
    elif is_native(config):
        loaded = _load_native(folder, config, dtype, attention)
    else:
        raise ConfigError(f"{folder}: model_type {config.get('model_type')!r} is not InternVL")
    loaded.vocabulary  # noqa: B018 - checks that the tokenizer is InternVL's
    loaded.model.to(device)
    loaded.model.eval()
    return loaded


def _load_original(
    folder: Path,
    config: Config,
    device: str,
    dtype: torch.dtype | None,
    attention: str,
) -> InternVL:
    from accelerate import init_empty_weights
    from transformers import GenerationConfig, InternVLConfig, InternVLForConditionalGeneration

    tokenizer = read_tokenizer(folder, config)
    vocabulary = Vocabulary(tokenizer)
    end, pad = vocabulary.stops
    native = InternVLConfig(
        **native_config(
            config,
            image_token_id=vocabulary.id("<IMG_CONTEXT>"),
            eos_token_id=end,
            pad_token_id=pad,
        )
    )
    native._attn_implementation = attention
    # Buffers (the rotary frequencies) are not in the checkpoint and must be real.
    with init_empty_weights(include_buffers=False):
        model = InternVLForConditionalGeneration(native)
    load_original(model, folder, device=device, dtype=dtype)
    check_untied(model)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=[end, pad], pad_token_id=pad
    )
    return InternVL(model, tokenizer)


def _load_native(
    folder: Path, config: Config, dtype: torch.dtype | None, attention: str
) -> InternVL:
    from transformers import InternVLForConditionalGeneration

    native: Any = InternVLForConditionalGeneration
    try:
        model, report = native.from_pretrained(
            folder,
            dtype=dtype or "auto",
            attn_implementation=attention,
            output_loading_info=True,
            use_safetensors=True,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{folder}: cannot load the weights: {error}") from error
    problems = {
        kind: sorted(str(name) for name in report[kind])
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if report.get(kind)
    }
    if problems:
        raise ConfigError(f"{folder}: wrong tensors: {problems}")
    if not config.get("tie_word_embeddings", True):
        check_untied(model)
    return InternVL(model, read_tokenizer(folder, config))
