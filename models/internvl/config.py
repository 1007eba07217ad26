"""An original InternVLChat `config.json` as a native `InternVLConfig`, and back.

Sources: transformers commit 015d3b27, `convert_internvl_weights_to_hf.py`; OpenGVLab/Vlaser
commit 40d7821, `configuration_internvl_chat.py`. Plain dictionaries in and out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import Config
from er_bench.models.internvl.fields import (
    UNUSED,
    UNUSED_IN_CHAT,
    UNUSED_IN_VISION,
    Chat,
    Language,
    Rope,
    Vision,
    check_names,
    shortened,
    validated,
)

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
    side = one_number(vision["image_size"])
    ratio = config.get("downsample_ratio", 0.5)
    return side, image_seq_length(side, one_number(vision["patch_size"]), ratio)


def rope_parameters(llm: Config, *, keep_dynamic: bool = True) -> Config:
    """Rotary positions as transformers 5 spells them, from its spelling or the older one.

    The base must be given: Qwen2's default of 10,000 is no InternVL's. `keep_dynamic` false leaves
    the dynamic scaling out, which transformers applies only beyond the trained length.

    Raises ConfigError for a base given nowhere or twice, or a scaling that is not supported.
    """
    spellings = [_rope_spelling(llm, name) for name in ("rope_parameters", "rope_scaling")]
    bases = [llm.get("rope_theta"), *(s.pop("rope_theta", None) for s in spellings)]
    given = [base for base in bases if base is not None]
    if not given:
        raise ConfigError("it gives no rope_theta: copy the base of the model it was trained from")
    if any(base != given[0] for base in given):
        raise ConfigError(f"it gives several rope_theta: {', '.join(map(shortened, given))}")
    if all(spellings) and spellings[0] != spellings[1]:
        raise ConfigError("its rope_parameters and rope_scaling disagree; keep one of them")
    scaling = spellings[0] or spellings[1]
    found = {"rope_type": "default", "rope_theta": given[0], **scaling}
    validated(Rope, found)
    kind = str(found["rope_type"])
    allowed = {"rope_type", "rope_theta", *_SCALING[kind]}
    check_names(found, allowed, (), f"rope type {kind} with ")
    if kind != "default" and "factor" not in found:
        raise ConfigError(f"its rope type {kind} has no factor")
    if kind == "dynamic" and not keep_dynamic:
        return {"rope_type": "default", "rope_theta": given[0]}
    return found


_SCALING = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": tuple(name for name in Rope.model_fields if not name.startswith("rope_")),
}


def _rope_spelling(llm: Config, name: str) -> dict[str, object]:
    found = llm.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ConfigError(f"its {name} is no object: {shortened(found)}")
    scaling = {key: value for key, value in found.items() if value is not None}
    kinds = [scaling.pop(key) for key in ("rope_type", "type") if key in scaling]
    if any(kind != kinds[0] for kind in kinds):
        raise ConfigError(f"its {name} has two types: {', '.join(map(shortened, kinds))}")
    return {"rope_type": kinds[0], **scaling} if kinds else scaling


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


def check_original(original: Config) -> None:
    """Check every field of an original configuration. Raises ConfigError."""
    if not is_original(original):
        raise ConfigError(f"not an InternVLChat config: model_type {original.get('model_type')!r}")
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


def check_native(native: Config) -> None:
    """Check every field of a native configuration. Raises ConfigError.

    A language model that is no Qwen2 (InternVL3.5) is left to transformers' own check.
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
    if not _has_qwen2(native):
        return
    original = original_config(native)
    check_original(original)
    tokens = native.get("image_seq_length", 256)
    if tokens != tile_shape(original)[1]:
        raise ConfigError(
            f"it has image_seq_length = {shortened(tokens)}, but a tile becomes "
            f"{tile_shape(original)[1]} tokens"
        )


def _has_qwen2(native: Config) -> bool:
    return bool(native["text_config"].get("model_type", "qwen2") == "qwen2")


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
