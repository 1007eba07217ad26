"""An original InternVLChat `config.json` as a native `InternVLConfig`, and back.

Sources: transformers commit 015d3b27, `convert_internvl_weights_to_hf.py`; OpenGVLab/Vlaser
commit 40d7821, `configuration_internvl_chat.py`. Plain dictionaries in and out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import Config
from er_bench.models.internvl.fields import UNUSED, Language, check_original, stored_dtype
from er_bench.models.internvl.part import check_names, shortened
from er_bench.models.internvl.rope import rope_parameters

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

_SPELT_OUT = (
    *("hidden_size", "image_size", "intermediate_size", "norm_type", "num_attention_heads"),
    *("num_hidden_layers", "patch_size", "qk_normalization"),
)
"""Vision fields whose defaults differ between the layouts, by their original names."""

_TEXT = (
    "attention_dropout",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "layer_types",
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

_NATIVE_FIXED: dict[str, dict[str, tuple[object, ...]]] = {
    "": {"projector_hidden_act": ("gelu",), "vision_feature_select_strategy": ("default",)},
    "vision_config": {
        "hidden_dropout_prob": (0,),
        "model_type": ("internvl_vision",),
        "use_absolute_position_embeddings": (True,),
        "use_mask_token": (False,),
        "use_mean_pooling": (True,),
    },
}
"""Native settings with no original counterpart, and the values that mean the original behaviour."""

_STAND_IN = {
    "model_type": "qwen2",
    "hidden_size": 2,
    "rope_theta": 1e6,
    **dict.fromkeys(("intermediate_size", "num_attention_heads", "num_hidden_layers"), 1),
    **dict.fromkeys(("num_key_value_heads", "vocab_size"), 1),
}
"""The smallest language model."""

_NATIVE_NAMES = {
    "": (
        *("downsample_ratio", "dtype", "image_seq_length", "image_token_id", "model_type"),
        *("system_message", "text_config", "tie_word_embeddings", "torch_dtype", "vision_config"),
        "vision_feature_layer",
        *_NATIVE_FIXED[""],
    ),
    "vision_config": (
        *_VISION.values(),
        *("dtype", "layer_scale_init_value", "torch_dtype", *_NATIVE_FIXED["vision_config"]),
    ),
    "text_config": tuple(Language.model_fields),
}


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
    """Pixels of a tile's side, and its tokens, of a checked configuration of either layout."""
    vision = config["vision_config"]
    if is_native(config):
        vision = {**_native_vision(), **vision}
    side = one_number(vision["image_size"])
    ratio = config.get("downsample_ratio", 0.5)
    return side, image_seq_length(side, one_number(vision["patch_size"]), ratio)


def is_tied(config: Config) -> bool:
    """Whether a configuration of either layout says that the head is the embedding."""
    if is_original(config):
        return bool(config["llm_config"].get("tie_word_embeddings", False))
    return bool(config.get("tie_word_embeddings", True))


def own_system_message(config: Config) -> str:
    """The system message that the checkpoint brings, or `template`: the template's own.

    The released class sends a text of the configuration instead of the template's message; a null
    one is left to the setting `system_message`. A native folder keeps it under the same name.
    """
    return str(config.get("system_message") or "template")


def native_config(
    original: Config,
    *,
    image_token_id: int,
    eos_token_id: int,
    pad_token_id: int,
    keep_dynamic: bool = True,
) -> Config:
    """The native configuration of an original checkpoint.

    Token ids come from the tokenizer: the original files name `<|endoftext|>` as the end of text,
    which is wrong for chat. Weights are tied only where the language model says so: InternVL3 ships
    its own `lm_head`, and the native default would overwrite it.

    Raises:
        ConfigError: the checkpoint uses something that the native classes do not have.
    """
    check_original(original)
    tied = is_tied(original)
    vision, llm = original["vision_config"], original["llm_config"]
    return {
        "model_type": "internvl",
        "architectures": [NATIVE_ARCHITECTURE],
        "dtype": stored_dtype(original, llm),
        "downsample_ratio": original.get("downsample_ratio", 0.5),
        "image_seq_length": tile_shape(original)[1],
        "image_token_id": image_token_id,
        "projector_hidden_act": "gelu",
        **({"system_message": own} if (own := original.get("system_message")) else {}),
        "tie_word_embeddings": tied,
        "vision_feature_layer": original.get("select_layer", -1),
        "vision_feature_select_strategy": "default",
        "vision_config": {
            "model_type": "internvl_vision",
            **{native: vision[name] for name, native in _VISION.items() if name in vision},
        },
        "text_config": {
            "model_type": "qwen2",
            "architectures": ["Qwen2ForCausalLM"],
            **{name: llm[name] for name in _TEXT if llm.get(name) is not None},
            "bos_token_id": None,
            "eos_token_id": eos_token_id,
            "pad_token_id": pad_token_id,
            "rope_parameters": rope_parameters(llm, keep_dynamic=keep_dynamic),
            "tie_word_embeddings": tied,
        },
    }


def original_config(native: Config) -> Config:
    """The original configuration of a native checkpoint; the inverse of `native_config`."""
    if not _has_qwen2(native):
        kind = shortened(native["text_config"]["model_type"])
        raise ConfigError(
            f"the language model is {kind}; the original layout is known of Qwen2 only"
        )
    vision, text = {**_native_vision(), **native["vision_config"]}, native["text_config"]
    rope = dict(rope_parameters(text))
    kind, theta = rope.pop("rope_type"), rope.pop("rope_theta")
    dtype, tied = stored_dtype(native, text), is_tied(native)
    vision_config = {name: vision[key] for name, key in _VISION.items() if key in vision}
    for side in ("image_size", "patch_size"):
        vision_config[side] = one_number(vision[side])
    return {
        "architectures": [ORIGINAL_ARCHITECTURE],
        "model_type": "internvl_chat",
        "downsample_ratio": native.get("downsample_ratio", 0.5),
        "dynamic_image_size": True,
        "force_image_size": vision_config["image_size"],
        "max_dynamic_patch": 12,
        "min_dynamic_patch": 1,
        "pad2square": False,
        "ps_version": "v2",
        "select_layer": native.get("vision_feature_layer", -1),
        **({"system_message": own} if (own := native.get("system_message")) else {}),
        "template": "internvl2_5",
        "tie_word_embeddings": tied,
        "torch_dtype": dtype,
        "use_backbone_lora": 0,
        "use_llm_lora": 0,
        "use_thumbnail": True,
        "llm_config": {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            **{name: text[name] for name in _TEXT if text.get(name) is not None},
            "rope_theta": theta,
            "rope_scaling": None if kind == "default" else {"rope_type": kind, **rope},
            "tie_word_embeddings": tied,
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


def check_native(native: Config) -> None:
    """Check every field of a native configuration. Raises ConfigError.

    A language model that is no Qwen2 (InternVL3.5) is left to transformers' own check; another
    stands in for it here.
    """
    for part in ("vision_config", "text_config"):
        if not isinstance(native.get(part), Mapping):
            raise ConfigError(f"the native config has no {part}")
    for part, names in _NATIVE_NAMES.items():
        if part == "text_config" and not _has_qwen2(native):
            continue
        fields, shown = native[part] if part else native, f"{part}." if part else ""
        check_names(fields, names, UNUSED, shown)
        for name, allowed in _NATIVE_FIXED.get(part, {}).items():
            if fields.get(name, allowed[0]) not in allowed:
                raise ConfigError(
                    f"it has {shown}{name} = {shortened(fields[name])}; only {allowed[0]!r} is "
                    "supported"
                )
    tied = native.get("tie_word_embeddings", True)
    if not isinstance(tied, bool):
        raise ConfigError(f"it has tie_word_embeddings = {shortened(tied)}; true or false is meant")
    text, vision = native["text_config"], native["vision_config"]
    if not _has_qwen2(native):
        text = _STAND_IN
    original = dict(original_config({**native, "text_config": text}))
    own = {name: text[name] for name in Language.model_fields if name in text}
    written = {k: v for k, v in original["llm_config"].items() if k != "torch_dtype"}
    original["llm_config"] = {**own, **written}
    own = {name: vision[name] for name in ("dtype", "torch_dtype") if name in vision}
    original["vision_config"] = {**original["vision_config"], **own}
    try:
        check_original(original)
    except ConfigError as error:
        raise ConfigError(_natively(str(error))) from error
    tokens = native.get("image_seq_length", 256)
    if tokens != tile_shape(original)[1]:
        raise ConfigError(
            f"it has image_seq_length = {shortened(tokens)}, but a tile becomes "
            f"{tile_shape(original)[1]} tokens"
        )


def _natively(message: str) -> str:
    """A message about an original configuration, with the native names."""
    for old, new in _VISION.items():
        message = message.replace(f"vision_config.{old} ", f"vision_config.{new} ")
    message = message.replace("select_layer", "vision_feature_layer")
    return message.replace("llm_config", "text_config")


def _has_qwen2(native: Config) -> bool:
    return bool(native["text_config"].get("model_type", "qwen2") == "qwen2")


def one_number(side: int | Sequence[int]) -> int:
    """The side of something square, written once or for each direction. Raises ConfigError."""
    sides = [side] if isinstance(side, int) else side
    if not isinstance(sides, Sequence) or not sides or any(one != sides[0] for one in sides):
        raise ConfigError(f"images and patches must be square, found {shortened(side)}")
    if not isinstance(sides[0], int):
        raise ConfigError(f"the side of images and patches is no number: {shortened(side)}")
    return sides[0]


def _native_vision() -> dict[str, object]:
    """The native defaults of the vision fields that have others in the original layout."""
    from transformers import InternVLVisionConfig

    names = [_VISION[name] for name in _SPELT_OUT]
    return {name: getattr(InternVLVisionConfig, name) for name in names}
