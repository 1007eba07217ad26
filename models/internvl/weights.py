"""Weights between the original InternVLChat layout and the native one, a shard at a time.

Key map: transformers commit 015d3b27 `convert_internvl_weights_to_hf.py`; OpenGVLab/Vlaser
commit 40d7821 `tools/internvl_custom2hf.py`. The only tensors that change are the vision
tower's joined `qkv`, which the native layout holds as three.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from er_bench.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"

_EMBEDDINGS = {
    "class_embedding": "cls_token",
    "position_embedding": "position_embeddings",
    "patch_embedding.weight": "patch_embeddings.projection.weight",
    "patch_embedding.bias": "patch_embeddings.projection.bias",
}
_LAYER = {
    "attn.proj.": "attention.projection_layer.",
    "attn.q_norm.": "attention.q_norm.",
    "attn.k_norm.": "attention.k_norm.",
    "norm1.": "layernorm_before.",
    "norm2.": "layernorm_after.",
    "ls1": "lambda_1",
    "ls2": "lambda_2",
    "mlp.": "mlp.",
}
_PROJECTOR = {"mlp1.0.": "layer_norm.", "mlp1.1.": "linear_1.", "mlp1.3.": "linear_2."}

_ORIGINAL_LAYER = re.compile(r"vision_model\.encoder\.layers\.(\d+)\.(.+)")
_NATIVE_LAYER = re.compile(r"model\.vision_tower\.encoder\.layer\.(\d+)\.(.+)")
_NATIVE_QKV = re.compile(r"attention\.([qkv])_proj\.(weight|bias)")


def native_names(original: str) -> tuple[str, ...]:
    """The native names of an original tensor: three for a joined `qkv`, else one.

    Raises ConfigError for a name that the original layout does not have.
    """
    if match := _ORIGINAL_LAYER.fullmatch(original):
        layer, rest = f"model.vision_tower.encoder.layer.{match[1]}.", match[2]
        if rest.startswith("attn.qkv."):
            suffix = rest.removeprefix("attn.qkv.")
            return tuple(f"{layer}attention.{part}_proj.{suffix}" for part in "qkv")
        return (layer + _renamed(rest, _LAYER, original),)
    if original.startswith("vision_model.embeddings."):
        rest = original.removeprefix("vision_model.embeddings.")
        return ("model.vision_tower.embeddings." + _renamed(rest, _EMBEDDINGS, original),)
    if original.startswith("mlp1."):
        return ("model.multi_modal_projector." + _renamed(original, _PROJECTOR, original),)
    if original.startswith("language_model."):
        rest = original.removeprefix("language_model.")
        if rest == "lm_head.weight":
            return (rest,)
        if rest.startswith("model."):
            return ("model.language_model." + rest.removeprefix("model."),)
    raise ConfigError(f"unexpected tensor {original!r}: not of an InternVLChat checkpoint")


def original_name(native: str) -> tuple[str, int | None]:
    """The original name of a native tensor, and its third (0, 1, 2) of a joined `qkv` or None.

    Raises ConfigError for a name that the native layout does not have.
    """
    if match := _NATIVE_LAYER.fullmatch(native):
        layer, rest = f"vision_model.encoder.layers.{match[1]}.", match[2]
        if part := _NATIVE_QKV.fullmatch(rest):
            return f"{layer}attn.qkv.{part[2]}", "qkv".index(part[1])
        return layer + _renamed(rest, _inverse(_LAYER), native), None
    if native.startswith("model.vision_tower.embeddings."):
        rest = native.removeprefix("model.vision_tower.embeddings.")
        return "vision_model.embeddings." + _renamed(rest, _inverse(_EMBEDDINGS), native), None
    if native.startswith("model.multi_modal_projector."):
        rest = native.removeprefix("model.multi_modal_projector.")
        return _renamed(rest, _inverse(_PROJECTOR), native), None
    if native.startswith("model.language_model."):
        return "language_model.model." + native.removeprefix("model.language_model."), None
    if native == "lm_head.weight":
        return "language_model.lm_head.weight", None
    raise ConfigError(f"unexpected tensor {native!r}: not of a native InternVL checkpoint")


def _renamed(rest: str, table: dict[str, str], name: str) -> str:
    for old, new in table.items():
        if rest == old or (old.endswith(".") and rest.startswith(old)):
            return new + rest.removeprefix(old)
    raise ConfigError(f"unexpected tensor {name!r}: the layout has no such name")


def _inverse(table: dict[str, str]) -> dict[str, str]:
    return {new: old for old, new in table.items()}


def to_native(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The native tensors that one original tensor holds."""
    names = native_names(name)
    if len(names) == 1:
        yield names[0], tensor
        return
    if tensor.shape[0] % 3:
        raise ConfigError(f"tensor {name!r} of shape {tuple(tensor.shape)} cannot be cut in three")
    yield from zip(names, tensor.chunk(3, dim=0), strict=True)


def shards(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint. Raises ConfigError when there are none."""
    index = folder / INDEX
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        if paths := [name for name in names if Path(name).name != name]:
            raise ConfigError(f"{index}: a shard must be a file beside the index: {paths[0]!r}")
        files = [folder / name for name in names]
    else:
        files = [folder / SINGLE]
    if absent := [f.name for f in files if not f.is_file()]:
        raise ConfigError(f"{folder}: missing weights {', '.join(absent)} (safetensors only)")
    return files


def read_tensors(files: Iterable[Path], device: str = "cpu") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of some safetensors files, one at a time."""
    from safetensors import SafetensorError, safe_open

    for file in files:
        try:
            with safe_open(file, framework="pt", device=device) as opened:
                for name in opened.keys():
                    yield name, opened.get_tensor(name)
        except SafetensorError as error:
            raise ConfigError(f"{file}: not a safetensors file: {error}") from error


def load_original(
    model: nn.Module, folder: Path, *, device: str, dtype: torch.dtype | None
) -> None:
    """Fill a native model, built without memory, from an original checkpoint.

    Raises ConfigError that lists every missing, unexpected, doubled or misshapen tensor.
    """
    expected: dict[str, Any] = {n: tuple(p.shape) for n, p in model.state_dict().items()}
    seen: set[str] = set()
    problems: list[str] = []
    for original, tensor in read_tensors(shards(folder), device):
        try:
            pairs = list(to_native(original, tensor))
        except ConfigError as error:
            problems.append(str(error))
            continue
        for name, part in pairs:
            if name not in expected:
                problems.append(f"unexpected tensor {original!r} ({name})")
            elif name in seen:
                problems.append(f"tensor {original!r} comes twice")
            elif tuple(part.shape) != expected[name]:
                found = tuple(part.shape)
                problems.append(f"tensor {original!r} has shape {found}, not {expected[name]}")
            else:
                # A third of a qkv is copied, so that it does not keep the whole alive.
                _assign(model, name, part.to(dtype=dtype, copy=len(pairs) > 1).contiguous())
            seen.add(name)
    problems += [f"missing tensor {original_name(n)[0]!r} ({n})" for n in expected if n not in seen]
    if problems:
        shown = "; ".join(problems[:8]) + ("; ..." if len(problems) > 8 else "")
        raise ConfigError(f"{folder}: {len(problems)} wrong tensors: {shown}")


def _assign(model: nn.Module, name: str, tensor: Tensor) -> None:
    from torch import nn

    path, _, attribute = name.rpartition(".")
    module = model.get_submodule(path)
    trains = getattr(module, attribute).requires_grad
    setattr(module, attribute, nn.Parameter(tensor, requires_grad=trains))


def check_untied(model: Any) -> None:
    """Raise ConfigError when `lm_head` and the input embedding share their memory."""
    head, embedding = model.get_output_embeddings().weight, model.get_input_embeddings().weight
    if head.data_ptr() == embedding.data_ptr():
        raise ConfigError("the checkpoint has its own lm_head, but it was tied to the embedding")
