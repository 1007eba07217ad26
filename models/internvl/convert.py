"""Rewrite a checkpoint: original InternVLChat to native transformers, and back.

Weights go through memory one output shard at a time and keep their bits. The native folder
loads in transformers' Auto classes, in vLLM and in er-bench without remote code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from er_bench.core.errors import ConfigError
from er_bench.data.files import whole_folder
from er_bench.models.checkpoint import CONFIG, Config, check_packages, read_config
from er_bench.models.internvl.checkpoint_files import (
    share_weights,
    write_json,
    write_native_sides,
    write_original_tokenizer,
)
from er_bench.models.internvl.config import is_native, is_original, native_config, original_config
from er_bench.models.internvl.load import read_tokenizer
from er_bench.models.internvl.vocabulary import Vocabulary
from er_bench.models.internvl.weights import (
    INDEX,
    SINGLE,
    check_tensors,
    module_name,
    native_names,
    native_shapes,
    opened,
    original_name,
    shapes,
    shards,
)

if TYPE_CHECKING:
    from torch import Tensor

SHARD_BYTES = 2 * 2**30
"""Most bytes of tensors held at once, and in one output file."""

_EMBEDDING = "language_model.model.embed_tokens.weight"

Make = Callable[[Mapping[str, Any]], "Tensor"]
"""Makes a tensor from the source's, which are given as open files by tensor name."""


def to_native(
    source: Path, out: Path, *, system_message: str = "template", keep_rope_scaling: bool = False
) -> None:
    """Write an original InternVLChat folder as a native transformers folder.

    `rope_scaling` is dropped unless asked for: transformers applies the dynamic kind only beyond
    32,768 tokens, vLLM before the fix of PR 41277 at every length.

    Raises ConfigError for a source that is not an original checkpoint or not complete, UsageError
    for a folder that holds something already. Nothing is written before both are checked.
    """
    check_packages()
    original = read_config(source)
    if not is_original(original):
        raise ConfigError(f"{source}: not an original InternVLChat checkpoint")
    tokenizer = read_tokenizer(source, original)
    vocabulary = Vocabulary(tokenizer)
    end, pad = vocabulary.stops
    config = native_config(
        original,
        image_token_id=vocabulary.id("<IMG_CONTEXT>"),
        eos_token_id=end,
        pad_token_id=pad,
        keep_rope_scaling=keep_rope_scaling,
    )
    files = shards(source)
    found = shapes(files)
    check_tensors(source, native_shapes(found), native_model_shapes(config))
    most = int(original.get("max_dynamic_patch") or 12)
    tensors = (
        (n, _third(o, k, len(ns)))
        for o in found
        for ns in [native_names(o)]
        for k, n in enumerate(ns)
    )
    with whole_folder(out) as folder:
        write_native_sides(folder, config, tokenizer, system_message, most)
        _write_shards(folder, files, tensors)


def to_original(source: Path, out: Path) -> None:
    """Write a native folder in the original InternVLChat layout, weights bit for bit.

    The original's own code is not part of it: OpenGVLab's repositories hold that.

    Raises as `to_native` does.
    """
    check_packages()
    native = read_config(source)
    if not is_native(native):
        raise ConfigError(f"{source}: not a native InternVL checkpoint")
    files = shards(source)
    saved = shapes(files)
    tokenizer = read_tokenizer(source, native)
    named = {module_name(name): shape for name, shape in saved.items()}
    check_tensors(source, named, native_model_shapes(native))
    parts: dict[str, dict[int, str]] = {}
    for name in saved:
        joined, third = original_name(module_name(name))
        parts.setdefault(joined, {})[third or 0] = name
    if native.get("tie_word_embeddings", True):
        parts.setdefault("language_model.lm_head.weight", parts[_EMBEDDING])
    stop = Vocabulary(tokenizer).stops[0]
    with whole_folder(out) as folder:
        write_json(folder / CONFIG, original_config(native))
        write_original_tokenizer(folder, tokenizer)
        write_json(folder / "generation_config.json", {"eos_token_id": stop})
        _write_shards(folder, files, ((name, _joined(part)) for name, part in parts.items()))


def native_model_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The tensors that a native model with this configuration has, by name. Uses no memory."""
    from accelerate import init_empty_weights
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    with init_empty_weights():
        model = InternVLForConditionalGeneration(InternVLConfig(**config))
    tensors = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    if config.get("tie_word_embeddings"):
        del tensors["lm_head.weight"]
    return tensors


def _third(original: str, part: int, parts: int) -> Make:
    if parts == 1:
        return lambda source: source[original].get_tensor(original)
    return lambda source: source[original].get_tensor(original).chunk(parts, dim=0)[part].clone()


def _joined(parts: Mapping[int, str]) -> Make:
    def make(source: Mapping[str, Any]) -> Tensor:
        import torch

        tensors = [source[parts[k]].get_tensor(parts[k]) for k in sorted(parts)]
        return tensors[0] if len(tensors) == 1 else torch.cat(tensors)

    return make


def _write_shards(out: Path, files: list[Path], tensors: Iterator[tuple[str, Make]]) -> None:
    """Write tensors into shards of at most SHARD_BYTES, and the index when there are several."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    written: list[list[str]] = []
    total = 0
    held: dict[str, Tensor] = {}

    def flush() -> None:
        try:
            save_file(held, out / _part_name(len(written)), metadata={"format": "pt"})
        except SafetensorError as error:
            raise OSError(str(error)) from error
        written.append(list(held))
        held.clear()

    with ExitStack() as stack:
        source: dict[str, Any] = {}
        for file in files:
            handle = stack.enter_context(opened(file))
            source |= dict.fromkeys(handle.keys(), handle)
        for name, make in tensors:
            tensor = make(source)
            if held and sum(map(_bytes, held.values())) + _bytes(tensor) > SHARD_BYTES:
                flush()
            held[name] = tensor
            total += _bytes(tensor)
        flush()
    _name_shards(out, written, total)
    share_weights(out)


def _name_shards(out: Path, written: list[list[str]], total: int) -> None:
    if len(written) == 1:
        (out / _part_name(0)).rename(out / SINGLE)
        return
    weight_map: dict[str, str] = {}
    for k, names in enumerate(written):
        final = f"model-{k + 1:05}-of-{len(written):05}.safetensors"
        (out / _part_name(k)).rename(out / final)
        weight_map |= dict.fromkeys(names, final)
    write_json(out / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})


def _part_name(number: int) -> str:
    return f"part-{number:05}.safetensors"


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
