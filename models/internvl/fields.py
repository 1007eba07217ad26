"""Every field that an InternVLChat `config.json` may have, and the values that are honoured.

A field is read, or has one value that er-bench supports, or is listed as one that no answer depends
on; any other name is refused with the nearest known one, unless its value is null.

Sources: OpenGVLab/Vlaser commit 40d7821, `configuration_internvl_chat.py` and
`configuration_intern_vit.py`; transformers 5.23 and 4.48, `Qwen2Config` and `PretrainedConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import Config
from er_bench.models.internvl.part import Part, check_names, shortened, validated
from er_bench.models.internvl.rope import rope_parameters

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


def check_original(original: Config) -> None:
    """Check every field of an original configuration. Raises ConfigError."""
    if original.get("model_type") != "internvl_chat":
        raise ConfigError(
            f"not an InternVLChat config: model_type {shortened(original.get('model_type'))}"
        )
    for part in ("vision_config", "llm_config"):
        if not isinstance(original.get(part), Mapping):
            raise ConfigError(f"the InternVLChat config has no {part}")
    llm_type = original["llm_config"].get("model_type")
    if llm_type != "qwen2":
        raise ConfigError(
            f"the language model is {shortened(llm_type)}; only Qwen2 (InternVL2.5-4B/38B, "
            "InternVL3, Vlaser) can be loaded without remote code"
        )
    check_names(original, Chat.model_fields, UNUSED_IN_CHAT)
    check_names(original["llm_config"], Language.model_fields, UNUSED, "llm_config.")
    check_names(original["vision_config"], Vision.model_fields, UNUSED_IN_VISION, "vision_config.")
    _check_shapes(validated(Chat, original))
    rope_parameters(original["llm_config"])
    stored_dtype(original, original["llm_config"])


def _check_shapes(chat: Chat) -> None:
    """Raise ConfigError for sizes that do not fit each other."""
    vision, llm, ratio = chat.vision_config, chat.llm_config, chat.downsample_ratio
    side, rest = divmod(vision.image_size, vision.patch_size)
    fits = {
        "force_image_size is not vision_config.image_size": chat.force_image_size
        in (None, vision.image_size),
        "image_size is no multiple of patch_size": rest == 0,
        "downsample_ratio is not 1 / a divisor of the patches of a side": side > 0
        and round(1 / ratio) * ratio == 1
        and side % round(1 / ratio) == 0,
        "select_layer is none of the vision layers": -vision.num_hidden_layers - 1
        <= chat.select_layer
        <= vision.num_hidden_layers,
        "vision hidden_size is no multiple of its heads": vision.hidden_size
        % vision.num_attention_heads
        == 0,
        "hidden_size is no multiple of num_attention_heads": llm.head_dim is not None
        or llm.hidden_size % llm.num_attention_heads == 0,
        "a head has an odd size": (llm.head_dim or llm.hidden_size // llm.num_attention_heads) % 2
        == 0,
        "num_attention_heads is no multiple of num_key_value_heads": llm.num_attention_heads
        % llm.num_key_value_heads
        == 0,
        "layer_types are not one for each layer": llm.layer_types is None
        or len(llm.layer_types) == llm.num_hidden_layers,
        "sliding_attention without use_sliding_window and sliding_window": "sliding_attention"
        not in (llm.layer_types or ())
        or (llm.use_sliding_window and llm.sliding_window is not None),
    }
    if wrong := [what for what, right in fits.items() if not right]:
        raise ConfigError(f"its sizes do not fit: {wrong[0]}")


def stored_dtype(*parts: Config) -> str:
    """The precision that the first part with one names, under its new or old name.

    Raises ConfigError when the two names differ.
    """
    for part in parts:
        named = [part[key] for key in ("dtype", "torch_dtype") if part.get(key) is not None]
        if any(name != named[0] for name in named):
            raise ConfigError(
                f"its dtype and torch_dtype differ: {', '.join(map(shortened, named))}"
            )
        if named:
            return str(named[0])
    return "bfloat16"
