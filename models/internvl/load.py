"""Open an InternVL checkpoint: a native folder, or an original InternVLChat one.

No remote code is run and torchvision is not needed: original weights are mapped onto the native
classes of transformers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import (
    CONFIG,
    Config,
    check_packages,
    opening,
    quiet,
    read_config,
    read_object,
)
from er_bench.models.internvl.checkpoint_files import check_sides
from er_bench.models.internvl.config import (
    check_native,
    is_native,
    is_original,
    is_tied,
    native_config,
    tile_shape,
)
from er_bench.models.internvl.fields import check_original
from er_bench.models.internvl.part import shortened
from er_bench.models.internvl.vocabulary import Vocabulary
from er_bench.models.internvl.weights import check_untied, load_original, shapes, shards

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
    check_sides(folder, tile_shape(config)[0])
    with opening(folder, "tokenizer"):
        tokenizer: PreTrainedTokenizerBase = kind.from_pretrained(
            folder, padding_side="left", trust_remote_code=False
        )
        vocabulary = tokenizer.get_vocab()
        try:
            context = Vocabulary(tokenizer).id("<IMG_CONTEXT>")
        except ConfigError as error:
            raise ConfigError(f"{folder}: {error}") from error
    added = folder / "added_tokens.json"
    for name, index in (read_object(added) if added.is_file() else {}).items():
        if vocabulary.get(name) != index:
            raise ConfigError(
                f"{added}: {name!r} is {shortened(index)} here, but {vocabulary.get(name)} by the "
                "other tokenizer files; fetch them again"
            )
    part = config["llm_config" if is_original(config) else "text_config"]
    embedded = part.get("vocab_size", math.inf)
    if above := sorted(name for name, index in vocabulary.items() if index >= embedded):
        raise ConfigError(
            f"{folder}: {len(above)} tokens have no embedding, {above[0]!r} among them: the model "
            f"has {embedded}. Tokenizer and weights are of different checkpoints"
        )
    if is_native(config) and config.get("image_token_id", 151667) != context:
        raise ConfigError(
            f"{folder}: image_token_id is {shortened(config.get('image_token_id', 151667))}, but "
            f"<IMG_CONTEXT> is {context}"
        )
    return tokenizer


def read_checked(folder: Path) -> Config:
    """The folder's configuration, each field checked. Raises ConfigError."""
    config = read_config(folder)
    try:
        if is_original(config):
            check_original(config)
        elif is_native(config):
            check_native(config)
        else:
            kind = shortened(config.get("model_type"))
            raise ConfigError(f"model_type {kind} is not InternVL")
    except ConfigError as error:
        raise ConfigError(f"{folder / CONFIG}: {error}") from error
    return config


def load(
    folder: Path, *, device: str = "cpu", dtype: torch.dtype | None = None, attention: str = "sdpa"
) -> InternVL:
    """Load a checkpoint of either layout. `dtype` None keeps the stored one.

    Raises ConfigError for a wrong folder, an unsupported setting, or any missing or unexpected
    tensor.
    """
    check_packages()
    quiet()
    config = read_checked(folder)
    if is_original(config):
        loaded = _load_original(folder, config, device, dtype, attention)
    else:
        loaded = _load_native(folder, config, dtype, attention)
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
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    tokenizer = read_tokenizer(folder, config)
    vocabulary = Vocabulary(tokenizer)
    end, pad = vocabulary.stops
    settings = native_config(
        config,
        image_token_id=vocabulary.id("<IMG_CONTEXT>"),
        eos_token_id=end,
        pad_token_id=pad,
    )
    with opening(folder, "configuration"):
        native = InternVLConfig(**settings)
    native._attn_implementation = attention
    # Buffers (the rotary frequencies) are not in the checkpoint and must be real.
    with opening(folder, "configuration"), init_empty_weights(include_buffers=False):
        model = InternVLForConditionalGeneration(native)
    load_original(model, folder, device=device, dtype=dtype, tied=is_tied(config))
    if not is_tied(config):
        check_untied(model)
    return _ready(model, tokenizer)


def _ready(model: Any, tokenizer: PreTrainedTokenizerBase) -> InternVL:
    """With generation settings of our own: the folder's say nothing, decoding is the run's."""
    from transformers import GenerationConfig

    end, pad = Vocabulary(tokenizer).stops
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=[end, pad], pad_token_id=pad
    )
    return InternVL(model, tokenizer)


def _load_native(
    folder: Path, config: Config, dtype: torch.dtype | None, attention: str
) -> InternVL:
    from transformers import InternVLForConditionalGeneration

    shapes(shards(folder))
    tokenizer = read_tokenizer(folder, config)
    native: Any = InternVLForConditionalGeneration
    with opening(folder, "weights"):
        model, report = native.from_pretrained(
            folder,
            dtype=dtype or "auto",
            attn_implementation=attention,
            output_loading_info=True,
            use_safetensors=True,
        )
    problems = {
        kind: sorted(str(name) for name in report[kind])
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if report.get(kind)
    }
    if problems:
        raise ConfigError(f"{folder}: wrong tensors: {problems}")
    if not config.get("tie_word_embeddings", True):
        check_untied(model)
    return _ready(model, tokenizer)
