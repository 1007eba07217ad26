"""Weights between the original InternVLChat layout and the native one, a shard at a time.

Key map: transformers commit 015d3b27 `convert_internvl_weights_to_hf.py`; OpenGVLab/Vlaser
commit 40d7821 `tools/internvl_custom2hf.py`. The only tensors that change are the vision
tower's joined `qkv`, which the native layout holds as three.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import check_fetched, one_line, read_object

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


_SAVED = {
    "vision_tower.": "model.vision_tower.",
    "multi_modal_projector.": "model.multi_modal_projector.",
    "language_model.model.": "model.language_model.",
    "language_model.lm_head.": "lm_head.",
}


def module_name(saved: str) -> str:
    """The name that a saved native tensor has in the model.

    `save_pretrained` and the `-hf` repositories write the names of transformers 4.52 (its
    `conversion_mapping.py`, legacy renames of LLaVA).
    """
    for old, new in _SAVED.items():
        if saved.startswith(old):
            return new + saved.removeprefix(old)
    return saved


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
    """The native tensors that one original tensor holds, each with memory of its own."""
    names = native_names(name)
    if len(names) == 1:
        yield names[0], tensor
        return
    for native, part in zip(names, tensor.chunk(len(names), dim=0), strict=True):
        yield native, part.clone()


HEAD, EMBEDDING = "lm_head.weight", "model.language_model.embed_tokens.weight"
"""The native names of the two that may be one."""

_FLOATS = ("F32", "F16", "BF16")


def shards(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint.

    A single file counts before an index, as in transformers: a checkpoint that was trained on and
    saved into the same folder leaves the older index behind.

    Raises ConfigError when there are none, or for a damaged index.
    """
    single, index = folder / SINGLE, folder / INDEX
    files = [single]
    if index.is_file() and not single.is_file():
        names = _indexed(index)
        if paths := [name for name in names if Path(name).name != name]:
            raise ConfigError(f"{index}: a shard must be a file beside the index: {paths[0]!r}")
        files = [folder / name for name in names]
    if absent := [f.name for f in files if not f.is_file()]:
        raise ConfigError(
            f"{folder}: missing weights {', '.join(absent)} (safetensors only); fetch them again, "
            "or have transformers save .bin weights as safetensors"
        )
    return files


def _indexed(index: Path) -> list[str]:
    """The names of the files that an index lists. Raises ConfigError."""
    listed = read_object(index).get("weight_map")
    if (
        not isinstance(listed, dict)
        or not listed
        or not all(isinstance(name, str) and "\0" not in name for name in listed.values())
    ):
        raise ConfigError(f"{index}: weight_map is no object of tensor names and files")
    return sorted(set(listed.values()))


def shapes(files: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in some safetensors files, read from their headers.

    Raises ConfigError for a damaged file, a tensor that comes twice, or one of another kind than
    plain floats.
    """
    found: dict[str, tuple[int, ...]] = {}
    for file in files:
        with opened(file) as tensors:
            for name in tensors.keys():
                if name in found:
                    raise ConfigError(f"{file}: tensor {name!r} comes twice")
                part = tensors.get_slice(name)
                if part.get_dtype() not in _FLOATS:
                    raise ConfigError(
                        f"{file}: tensor {name!r} is {part.get_dtype()}; quantised weights are "
                        "not supported, only F32, F16 and BF16"
                    )
                found[name] = tuple(part.get_shape())
    return found


def same_tensor(files: Iterable[Path], one: str, other: str) -> bool:
    """Whether two stored tensors have the same values."""
    import torch

    found: dict[str, Tensor] = {}
    for file in files:
        with opened(file) as tensors:
            found |= {n: tensors.get_tensor(n) for n in (one, other) if n in tensors.keys()}
    return bool(torch.equal(found[one], found[other]))


@contextmanager
def opened(file: Path, device: str = "cpu") -> Iterator[Any]:
    """A safetensors file, mapped into memory. Raises ConfigError for a damaged one."""
    from safetensors import SafetensorError, safe_open

    check_fetched(file)
    try:
        with safe_open(file, framework="pt", device=device) as tensors:
            yield tensors
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            f"{file}: not a safetensors file: {one_line(error)}; fetch it again"
        ) from error


def native_shapes(original: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The names and shapes that original tensors have in the native layout.

    Raises ConfigError for a name that the original layout does not have.
    """
    return {
        native: (shape[0] // len(names), *shape[1:]) if len(names) > 1 else shape
        for name, shape in original.items()
        for names in [native_names(name)]
        for native in names
    }


def check_tensors(
    folder: Path, found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Compare native names and shapes with what the model has.

    Raises ConfigError that lists every missing, unexpected or misshapen tensor.
    """
    problems = [
        *(f"missing {original_name(n)[0]} ({n})" for n in expected if n not in found),
        *(f"unexpected {original_name(n)[0]} ({n})" for n in found if n not in expected),
        *(
            f"{n} has shape {found[n]}, not {expected[n]}"
            for n in expected
            if n in found and found[n] != expected[n]
        ),
    ]
    if problems:
        shown = "; ".join(problems[:8]) + ("; ..." if len(problems) > 8 else "")
        raise ConfigError(f"{folder}: {len(problems)} wrong tensors: {shown}")


def load_original(
    model: nn.Module, folder: Path, *, device: str, dtype: torch.dtype | None, tied: bool
) -> None:
    """Fill a native model, built without memory, from an original checkpoint, shard by shard.

    With `tied` the head is the embedding.

    Raises ConfigError that lists every missing, unexpected or misshapen tensor.
    """
    files = shards(folder)
    expected = {name: tuple(p.shape) for name, p in model.state_dict().items()}
    check_original_tensors(folder, files, expected, tied=tied)
    for file in files:
        with opened(file, device) as tensors:
            for original in tensors.keys():
                for name, part in to_native(original, tensors.get_tensor(original)):
                    _assign(model, name, part.to(dtype))
    if tied:
        model.get_submodule("lm_head").weight = model.get_parameter(EMBEDDING)


def check_original_tensors(
    folder: Path, files: list[Path], expected: Mapping[str, tuple[int, ...]], *, tied: bool
) -> dict[str, tuple[int, ...]]:
    """The tensors of an original checkpoint by their original names, each checked.

    A tied head need not be stored; where it is, it must be the embedding.

    Raises ConfigError that lists every missing, unexpected or misshapen tensor.
    """
    found = shapes(files)
    native = native_shapes(found)
    stored = HEAD in native
    if tied and not stored:
        expected = {name: shape for name, shape in expected.items() if name != HEAD}
    check_tensors(folder, native, expected)
    head, embedding = original_name(HEAD)[0], original_name(EMBEDDING)[0]
    if tied and stored and not same_tensor(files, head, embedding):
        raise ConfigError(
            f"{folder}: llm_config.tie_word_embeddings is true, but {head} is not the embedding; "
            "set it to false to use the stored head"
        )
    return found


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
