"""Every field that an InternVLChat `config.json` may have, and the values that are honoured.

A field is read, or has one value that er-bench supports, or is listed as one that no answer depends
on; any other name is refused with the nearest known one, unless its value is null.

Sources: OpenGVLab/Vlaser commit 40d7821, `configuration_internvl_chat.py` and
`configuration_intern_vit.py`; transformers 5.23 and 4.48, `Qwen2Config` and `PretrainedConfig`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from er_bench.core.errors import ConfigError

Dtype = Literal["float32", "bfloat16", "float16"]
Size = Annotated[int, Field(ge=1, le=2**24)]
Depth = Annotated[int, Field(ge=1, le=1024)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Off = Literal[0, False] | None

UNUSED = frozenset(
    """
    _attn_implementation_autoset _commit_hash _name_or_path add_cross_attention architectures
    attn_implementation auto_map bad_words_ids begin_suppress_tokens bos_token_id
    chunk_size_feed_forward cross_attention_hidden_size decoder_start_token_id diversity_penalty
    do_sample early_stopping encoder_no_repeat_ngram_size eos_token_id
    exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id
    id2label initializer_factor is_decoder is_encoder_decoder label2id
    length_penalty max_length min_length no_repeat_ngram_size num_beam_groups num_beams
    num_return_sequences output_attentions output_hidden_states output_scores pad_token_id prefix
    problem_type pruned_heads remove_invalid_values repetition_penalty return_dict
    return_dict_in_generate sep_token_id suppress_tokens task_specific_params temperature
    tf_legacy_loss tie_encoder_decoder tokenizer_class top_k top_p torchscript
    transformers_version typical_p use_bfloat16 use_cache use_return_dict
    """.split()
)
"""Fields of any part that no answer depends on: token ids come from the tokenizer, decoding from
the run."""

UNUSED_IN_VISION = UNUSED | frozenset(
    """
    capacity_factor drop_path_rate eval_capacity_factor laux_allreduce moe_coeff_ratio
    moe_intermediate_size moe_output_scale noisy_gate_policy num_experts num_routed_experts
    num_shared_experts shared_expert_intermediate_size tie_word_embeddings use_flash_attn
    use_residual use_rts use_weighted_residual
    """.split()
)
"""The experts' settings say nothing where `use_moe` is false; depth is dropped in training only."""

UNUSED_IN_CHAT = UNUSED | {"hidden_size", "tie_word_embeddings", "use_flash_attn", "vocab_size"}
"""The language model's own fields count, not the copies beside it."""


class Part(BaseModel):
    """A part of a configuration. Values are not converted: text is no number."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Rope(Part):
    """Rotary positions, as transformers 5 spells them."""

    rope_type: Literal["default", "linear", "dynamic", "yarn"]
    rope_theta: Annotated[float, Field(gt=1, le=1e12, allow_inf_nan=False)]
    factor: Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)] | None = None
    original_max_position_embeddings: Annotated[int, Field(ge=1, le=2**31)] | None = None
    attention_factor: Annotated[Positive, Field(le=1e6)] | None = None
    beta_fast: Annotated[Positive, Field(le=1e6)] | None = None
    beta_slow: Annotated[Positive, Field(le=1e6)] | None = None
    mscale: Annotated[Positive, Field(le=1e6)] | None = None
    mscale_all_dim: Annotated[Positive, Field(le=1e6)] | None = None
    truncate: bool | None = None


class Language(Part):
    """`llm_config`: a Qwen2 model."""

    model_type: Literal["qwen2"]
    hidden_size: Size
    intermediate_size: Size
    num_attention_heads: Size
    num_hidden_layers: Depth
    num_key_value_heads: Size
    vocab_size: Size
    attention_dropout: Share = 0.0
    dtype: Dtype | None = None
    head_dim: Size | None = None
    hidden_act: Literal["silu", "gelu", "relu"] = "silu"
    initializer_range: Annotated[float, Field(ge=0, le=1e3)] = 0.02
    layer_types: list[Literal["full_attention", "sliding_attention"]] | None = None
    max_position_embeddings: Annotated[int, Field(ge=1, le=2**31)] = 32768
    max_window_layers: Annotated[int, Field(ge=0, le=2**31)] = 28
    moe_config: None = None
    quantization_config: None = None
    rms_norm_eps: Positive = 1e-6
    rope_parameters: Mapping[str, object] | None = None
    rope_scaling: Mapping[str, object] | None = None
    rope_theta: float | None = None
    sliding_window: Annotated[int, Field(ge=1, le=2**31)] | None = None
    tie_word_embeddings: bool = False
    torch_dtype: Dtype | None = None
    use_sliding_window: bool = False


class Vision(Part):
    """`vision_config`: an InternViT."""

    hidden_size: Size
    image_size: Size
    intermediate_size: Size
    num_attention_heads: Size
    num_hidden_layers: Depth
    patch_size: Size
    attention_dropout: Share = 0.0
    dropout: Share = 0.0
    dtype: Dtype | None = None
    hidden_act: Literal["gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "silu", "relu"] = (
        "gelu"
    )
    initializer_range: Annotated[float, Field(ge=0, le=1e3)] = 0.02
    layer_norm_eps: Positive = 1e-6
    model_type: Literal["intern_vit_6b"] | None = None
    norm_type: Literal["layer_norm", "rms_norm"] = "layer_norm"
    num_channels: Literal[3] = 3
    qk_normalization: bool = False
    qkv_bias: bool = False
    quantization_config: None = None
    torch_dtype: Dtype | None = None
    use_moe: Off = False


class Chat(Part):
    """The whole configuration."""

    model_type: Literal["internvl_chat"]
    vision_config: Vision
    llm_config: Language
    downsample_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    dtype: Dtype | None = None
    dynamic_image_size: Literal[True] = True
    force_image_size: Size | None = None
    image_fold: None = None
    max_dynamic_patch: Annotated[int, Field(ge=1, le=1024)] = 12
    min_dynamic_patch: Literal[1] = 1
    pad2square: Off = False
    ps_version: Literal["v2"]
    quantization_config: None = None
    select_layer: int = -1
    system_message: str | None = None
    template: Literal["internvl2_5"] | None = None
    torch_dtype: Dtype | None = None
    use_backbone_lora: Off = 0
    use_llm_lora: Off = 0
    use_thumbnail: Literal[True] = True


PartT = TypeVar("PartT", bound=Part)


def validated(kind: type[PartT], config: Mapping[str, object]) -> PartT:
    """A part with every value checked. Raises ConfigError that names the first wrong field."""
    try:
        return kind.model_validate(config)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(step) for step in wrong["loc"])
        if wrong["type"] == "missing":
            raise ConfigError(f"it has no {place}") from error
        raise ConfigError(
            f"it has {place} = {shortened(wrong['input'])}, which er-bench does not support: "
            f"{wrong['msg']}"
        ) from error


def check_names(
    config: Mapping[str, object], known: Collection[str], unused: Collection[str], part: str = ""
) -> None:
    """Raise ConfigError for a field that nobody knows, with the nearest that there are."""
    names = [*known, *unused]
    for name, value in config.items():
        if name in names or value is None:
            continue
        near = get_close_matches(name, names, 1)
        raise ConfigError(
            f"it has {part}{name} = {shortened(value)}, which er-bench does not know; "
            + (f"did you mean {part}{near[0]}? " if near else "")
            + "Take it out of the file if no answer depends on it"
        )


def shortened(value: object) -> str:
    """A foreign value in at most 60 characters."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
