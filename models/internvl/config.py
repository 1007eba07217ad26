"""An original InternVLChat `config.json` as a native `InternVLConfig`, and back.

Sources: transformers commit 015d3b27, `convert_internvl_weights_to_hf.py`; OpenGVLab/Vlaser
commit 40d7821, `configuration_internvl_chat.py`. Plain dictionaries in and out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import Config

ORIGINAL_ARCHITECTURE = "InternVLChatModel"
NATIVE_ARCHITECTURE = "InternVLForConditionalGeneration"

_VISION = {
    "attention_dropout": "attention_dropout",
    "dropout": "projection_dropout",
    "hidden_act": "hidden_act",
    "hidden_size": "hidden_size",
    "image_size": "image_size",
    "initializer_range": "initializer_range",
    "intermediate_size": "intermediate_size",
    "layer_norm_eps": "layer_norm_eps",
    "norm_type": "norm_type",
    "num_attention_heads": "num_attention_heads",
    "num_channels": "num_channels",
    "num_hidden_layers": "num_hidden_layers",
    "patch_size": "patch_size",
    "qk_normalization": "use_qk_norm",
    "qkv_bias": "attention_bias",
}
"""Vision fields, original to native."""

_TEXT = (
    "attention_dropout",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "max_window_layers",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "sliding_window",
    "use_sliding_window",
    "vocab_size",
)
"""Qwen2 fields that keep their names."""

_FIXED: dict[str, tuple[object, ...]] = {
    "ps_version": ("v2",),
    "pad2square": (False, None),
    "use_backbone_lora": (0, None),
    "use_llm_lora": (0, None),
}
"""Original settings with no native counterpart, and the values that mean the native behaviour."""


def is_original(config: Config) -> bool:
    """Whether a `config.json` is of the original layout."""
    return config.get("model_type") == "internvl_chat"


def is_native(config: Config) -> bool:
    """Whether a `config.json` is of the native transformers layout."""
    return config.get("model_type") == "internvl"


def image_seq_length(image_px: int, patch_px: int, downsample_ratio: float) -> int:
    """Language tokens of one tile: 256 for 448 pixels, patches of 14 and ratio 0.5."""
    return int((image_px // patch_px) ** 2 * downsample_ratio**2)


def tile_shape(config: Config) -> tuple[int, int]:
    """Pixels of a tile's side, and its tokens, of a configuration of either layout."""
    vision = config["vision_config"]
    if is_original(config):
        side = config.get("force_image_size") or vision["image_size"]
        ratio = config.get("downsample_ratio", 0.5)
        return side, image_seq_length(side, vision["patch_size"], ratio)
    return one_number(vision["image_size"]), int(config["image_seq_length"])


def rope_parameters(llm: Config, *, keep_scaling: bool = True) -> Config:
    """Transformers 5's `rope_parameters` from the original `rope_theta` and `rope_scaling`."""
    scaling = dict(llm.get("rope_scaling") or {}) if keep_scaling else {}
    kind = scaling.pop("rope_type", None) or scaling.pop("type", None) or "default"
    scaling.pop("type", None)
    return {"rope_type": kind, "rope_theta": llm.get("rope_theta", 10000.0), **scaling}


def native_config(
    original: Config,
    *,
    image_token_id: int,
    eos_token_id: int,
    pad_token_id: int,
    keep_rope_scaling: bool = True,
) -> Config:
    """The native configuration of an original checkpoint.

    Token ids come from the tokenizer: the original files name `<|endoftext|>` as the end of text,
    which is wrong for chat. Weights are never tied: InternVL3 ships its own `lm_head`, and the
    native default would overwrite it.

    Raises:
        ConfigError: the checkpoint uses something that the native classes do not have.
    """
    _check_supported(original)
    vision, llm = original["vision_config"], original["llm_config"]
    image_px = original.get("force_image_size") or vision["image_size"]
    ratio = original.get("downsample_ratio", 0.5)
    return {
        "model_type": "internvl",
        "architectures": [NATIVE_ARCHITECTURE],
        "dtype": original.get("torch_dtype") or llm.get("torch_dtype") or "bfloat16",
        "downsample_ratio": ratio,
        "image_seq_length": image_seq_length(image_px, vision["patch_size"], ratio),
        "image_token_id": image_token_id,
        "projector_hidden_act": "gelu",
        "tie_word_embeddings": False,
        "vision_feature_layer": original.get("select_layer", -1),
        "vision_feature_select_strategy": "default",
        "vision_config": {
            "model_type": "internvl_vision",
            **{native: vision[name] for name, native in _VISION.items() if name in vision},
        },
        "text_config": {
            "model_type": "qwen2",
            "architectures": ["Qwen2ForCausalLM"],
            **{name: llm[name] for name in _TEXT if name in llm},
            "bos_token_id": None,
            "eos_token_id": eos_token_id,
            "pad_token_id": pad_token_id,
            "rope_parameters": rope_parameters(llm, keep_scaling=keep_rope_scaling),
            "tie_word_embeddings": False,
        },
    }


def original_config(native: Config) -> Config:
    """The original configuration of a native checkpoint; the inverse of `native_config`."""
    vision, text = native["vision_config"], native["text_config"]
    rope = dict(text.get("rope_parameters") or {})
    kind, theta = rope.pop("rope_type", "default"), rope.pop("rope_theta", 10000.0)
    dtype = native.get("dtype") or native.get("torch_dtype") or "bfloat16"
    vision_config = {name: vision[key] for name, key in _VISION.items() if key in vision}
    for side in ("image_size", "patch_size"):
        vision_config[side] = one_number(vision[side])
    return {
        "architectures": [ORIGINAL_ARCHITECTURE],
        "model_type": "internvl_chat",
        "downsample_ratio": native["downsample_ratio"],
        "dynamic_image_size": True,
        "force_image_size": vision_config["image_size"],
        "max_dynamic_patch": 12,
        "min_dynamic_patch": 1,
        "pad2square": False,
        "ps_version": "v2",
        "select_layer": native["vision_feature_layer"],
        "template": "internvl2_5",
        "tie_word_embeddings": False,
        "torch_dtype": dtype,
        "use_backbone_lora": 0,
        "use_llm_lora": 0,
        "use_thumbnail": True,
        "llm_config": {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            **{name: text[name] for name in _TEXT if name in text},
            "rope_theta": theta,
            "rope_scaling": None if kind == "default" else {"rope_type": kind, **rope},
            "tie_word_embeddings": False,
            "torch_dtype": dtype,
        },
        "vision_config": {
            "architectures": ["InternVisionModel"],
            "model_type": "intern_vit_6b",
            **vision_config,
            "drop_path_rate": 0.0,
            "torch_dtype": dtype,
        },
    }


def _check_supported(original: Config) -> None:
    if not is_original(original):
        raise ConfigError(f"not an InternVLChat config: model_type {original.get('model_type')!r}")
    for part in ("vision_config", "llm_config"):
        if not isinstance(original.get(part), Mapping):
            raise ConfigError(f"the InternVLChat config has no {part}")
    llm_type = original["llm_config"].get("model_type")
    if llm_type != "qwen2":
        raise ConfigError(
            f"the language model is {llm_type!r}; only Qwen2 (InternVL2.5-4B/38B, InternVL3, "
            "Vlaser) can be loaded without remote code"
        )
    for name, allowed in _FIXED.items():
        if original.get(name, allowed[0]) not in allowed:
            raise ConfigError(
                f"the InternVLChat config has {name} = {original[name]!r}, "
                f"which the native classes do not support (expected {allowed[0]!r})"
            )


def one_number(side: int | Sequence[int]) -> int:
    """The side of something square, written once or for each direction. Raises ConfigError."""
    values = {side} if isinstance(side, int) else set(side)
    if len(values) != 1:
        raise ConfigError(f"images and patches must be square, found {side}")
    return values.pop()
