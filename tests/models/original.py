"""A random checkpoint in the original InternVLChat layout, and what its own code computes.

The forward pass is written from the description of the released model (InternViT with layer
scale, pixel shuffle v2, two-layer projector, Qwen2), over the original tensor names, so that the
mapped native model has something independent to agree with.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import conv2d, gelu, layer_norm, silu

from er_bench.models.internvl.checkpoint_files import write_original_tokenizer
from er_bench.models.internvl.tiny import SAMPLE_TEXTS, make_tokenizer

TILE_PX, PATCH_PX, VISION, HEADS = 56, 14, 24, 3
TEXT, TEXT_HEADS, KV_HEADS, MLP = 32, 4, 2, 48
LAYERS = 2
THETA = 1_000_000.0


def config(vocab_size: int) -> dict[str, Any]:
    return {
        "architectures": ["InternVLChatModel"],
        "auto_map": {"AutoModel": "modeling_internvl_chat.InternVLChatModel"},
        "downsample_ratio": 0.5,
        "force_image_size": TILE_PX,
        "max_dynamic_patch": 12,
        "model_type": "internvl_chat",
        "pad2square": False,
        "ps_version": "v2",
        "select_layer": -1,
        "template": "internvl2_5",
        "torch_dtype": "float32",
        "use_backbone_lora": 0,
        "use_llm_lora": 0,
        "llm_config": {
            "hidden_act": "silu",
            "hidden_size": TEXT,
            "intermediate_size": MLP,
            "max_position_embeddings": 32768,
            "model_type": "qwen2",
            "num_attention_heads": TEXT_HEADS,
            "num_hidden_layers": LAYERS,
            "num_key_value_heads": KV_HEADS,
            "rms_norm_eps": 1e-6,
            "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"},
            "rope_theta": THETA,
            "vocab_size": vocab_size,
        },
        "vision_config": {
            "hidden_act": "gelu",
            "hidden_size": VISION,
            "image_size": TILE_PX,
            "intermediate_size": 40,
            "layer_norm_eps": 1e-6,
            "model_type": "intern_vit_6b",
            "norm_type": "layer_norm",
            "num_attention_heads": HEADS,
            "num_hidden_layers": LAYERS,
            "patch_size": PATCH_PX,
            "qk_normalization": False,
            "qkv_bias": True,
        },
    }


def tensors(vocab_size: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw) * 0.2

    def linear(name: str, out: int, into: int, bias: bool = True) -> dict[str, Tensor]:
        made = {f"{name}.weight": random(out, into)}
        return made | ({f"{name}.bias": random(out)} if bias else {})

    patches = (TILE_PX // PATCH_PX) ** 2
    vit, llm = "vision_model.", "language_model.model."
    found = {
        vit + "embeddings.class_embedding": random(1, 1, VISION),
        vit + "embeddings.position_embedding": random(1, patches + 1, VISION),
        vit + "embeddings.patch_embedding.weight": random(VISION, 3, PATCH_PX, PATCH_PX),
        vit + "embeddings.patch_embedding.bias": random(VISION),
        llm + "embed_tokens.weight": random(vocab_size, TEXT),
        llm + "norm.weight": 1 + random(TEXT),
        "language_model.lm_head.weight": random(vocab_size, TEXT),
        "mlp1.0.weight": 1 + random(4 * VISION),
        "mlp1.0.bias": random(4 * VISION),
        **linear("mlp1.1", TEXT, 4 * VISION),
        **linear("mlp1.3", TEXT, TEXT),
    }
    for k in range(LAYERS):
        v, t = f"{vit}encoder.layers.{k}.", f"{llm}layers.{k}."
        key_width = TEXT // TEXT_HEADS * KV_HEADS
        found |= {
            **linear(v + "attn.qkv", 3 * VISION, VISION),
            **linear(v + "attn.proj", VISION, VISION),
            **linear(v + "mlp.fc1", 40, VISION),
            **linear(v + "mlp.fc2", VISION, 40),
            **{f"{v}{n}.weight": 1 + random(VISION) for n in ("norm1", "norm2")},
            **{f"{v}{n}.bias": random(VISION) for n in ("norm1", "norm2")},
            **{v + n: random(VISION) for n in ("ls1", "ls2")},
            **linear(t + "self_attn.q_proj", TEXT, TEXT),
            **linear(t + "self_attn.k_proj", key_width, TEXT),
            **linear(t + "self_attn.v_proj", key_width, TEXT),
            **linear(t + "self_attn.o_proj", TEXT, TEXT, bias=False),
            **linear(t + "mlp.gate_proj", MLP, TEXT, bias=False),
            **linear(t + "mlp.up_proj", MLP, TEXT, bias=False),
            **linear(t + "mlp.down_proj", TEXT, MLP, bias=False),
            t + "input_layernorm.weight": 1 + random(TEXT),
            t + "post_attention_layernorm.weight": 1 + random(TEXT),
        }
    return found


def write(folder: Path, weights: dict[str, Tensor] | None = None) -> Path:
    """The checkpoint as a folder of two shards."""
    folder.mkdir(parents=True)
    tokenizer = make_tokenizer(SAMPLE_TEXTS, 300)
    write_original_tokenizer(folder, tokenizer)
    vocab_size = max(tokenizer.get_vocab().values()) + 1
    (folder / "config.json").write_text(json.dumps(config(vocab_size)))
    weights = weights or tensors(vocab_size)
    names = sorted(weights)
    shards = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, held in shards.items():
        save_file({name: weights[name] for name in held}, folder / file)
    index = {"weight_map": {name: file for file, held in shards.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def image_features(w: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """`(tiles, 3, px, px)` to `(tiles, tokens, TEXT)`."""

    def apply(name: str, x: Tensor) -> Tensor:
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        return layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], 1e-6)

    e = "vision_model.embeddings."
    patch = w[e + "patch_embedding.weight"], w[e + "patch_embedding.bias"]
    x = conv2d(pixels, *patch, stride=PATCH_PX).flatten(2).transpose(1, 2)
    x = torch.cat([w[e + "class_embedding"].expand(len(x), 1, -1), x], dim=1)
    x = x + w[e + "position_embedding"]
    for k in range(LAYERS):
        layer = f"vision_model.encoder.layers.{k}."
        joined = apply(layer + "attn.qkv", norm(layer + "norm1", x))
        query, key, value = joined.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        scores = (query @ key.transpose(-1, -2)) / math.sqrt(VISION // HEADS)
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        x = x + w[layer + "ls1"] * apply(layer + "attn.proj", mixed)
        inner = gelu(apply(layer + "mlp.fc1", norm(layer + "norm2", x)))
        x = x + w[layer + "ls2"] * apply(layer + "mlp.fc2", inner)
    side = TILE_PX // PATCH_PX
    grid = x[:, 1:].unflatten(1, (side, side))
    cells = [
        torch.cat([grid[:, i + di, j + dj] for di in (0, 1) for dj in (0, 1)], dim=-1)
        for i in range(0, side, 2)
        for j in range(0, side, 2)
    ]
    x = norm("mlp1.0", torch.stack(cells, dim=1))
    return apply("mlp1.3", gelu(apply("mlp1.1", x)))


def logits(
    w: dict[str, Tensor], ids: list[int], context_id: int, pixels: Tensor | None = None
) -> Tensor:
    """`(length, vocabulary)` for one sequence."""
    llm = "language_model.model."
    x = w[llm + "embed_tokens.weight"][torch.tensor(ids)]
    if pixels is not None:
        x[torch.tensor(ids) == context_id] = image_features(w, pixels).flatten(0, 1)

    def rms(name: str, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * w[name + ".weight"]

    width = TEXT // TEXT_HEADS
    angle = torch.arange(len(ids))[:, None] * THETA ** (-torch.arange(0, width, 2) / width)
    cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)

    def turn(h: Tensor) -> Tensor:
        first, second = h.chunk(2, dim=-1)
        return h * cos + torch.cat([-second, first], dim=-1) * sin

    hidden = torch.full((len(ids), len(ids)), -torch.inf).triu(1)
    for k in range(LAYERS):
        layer = f"{llm}layers.{k}."
        h = rms(layer + "input_layernorm", x)

        def heads(name: str, h: Tensor = h, layer: str = layer) -> Tensor:
            out = h @ w[f"{layer}self_attn.{name}.weight"].T + w[f"{layer}self_attn.{name}.bias"]
            return out.unflatten(-1, (-1, width)).transpose(0, 1)

        query, key, value = turn(heads("q_proj")), turn(heads("k_proj")), heads("v_proj")
        shared = TEXT_HEADS // KV_HEADS
        key, value = (t.repeat_interleave(shared, dim=0) for t in (key, value))
        scores = query @ key.transpose(-1, -2) / math.sqrt(width) + hidden
        mixed = (scores.softmax(-1) @ value).transpose(0, 1).flatten(1)
        x = x + mixed @ w[layer + "self_attn.o_proj.weight"].T
        h = rms(layer + "post_attention_layernorm", x)
        gate = silu(h @ w[layer + "mlp.gate_proj.weight"].T)
        x = (
            x
            + (gate * (h @ w[layer + "mlp.up_proj.weight"].T)) @ w[layer + "mlp.down_proj.weight"].T
        )
    return rms(llm + "norm", x) @ w["language_model.lm_head.weight"].T
