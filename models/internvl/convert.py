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
from er_bench.models.checkpoint import CONFIG, Config, check_packages, opening
from er_bench.models.internvl.checkpoint_files import (
    share_weights,
    write_json,
    write_native_sides,
    write_original_tokenizer,
)
from er_bench.models.internvl.config import (
    is_native,
    is_original,
    is_tied,
    native_config,
    original_config,
    own_system_message,
)
from er_bench.models.internvl.load import read_checked, read_tokenizer
from er_bench.models.internvl.vocabulary import Vocabulary
from er_bench.models.internvl.weights import (
    EMBEDDING,
    HEAD,
    INDEX,
    SINGLE,
    check_original_tensors,
    check_tensors,
    module_name,
    native_names,
    opened,
    original_name,
    same_tensor,
    shapes,
    shards,
)

if TYPE_CHECKING:
    from torch import Tensor

SHARD_BYTES = 2 * 2**30
"""Most bytes of tensors held at once, and in one output file."""

Make = Callable[[Mapping[str, Any]], "Tensor"]
"""Makes a tensor from the source's, which are given as open files by tensor name."""


def to_native(
    source: Path,
    out: Path,
    *,
    system_message: str | None = None,
    keep_rope_scaling: bool = False,
) -> None:
    """Write an original InternVLChat folder as a native transformers folder.

    Dynamic RoPE scaling is dropped unless asked for: transformers applies it only beyond
    32,768 tokens, vLLM before the fix of PR 41277 at every length. Other kinds are kept. Without
    a system message that of the checkpoint is written into the chat template. A tied head is
    not stored.

    Raises ConfigError for a source that is not an original checkpoint or not complete, UsageError
    for a folder that holds something already. Nothing is written before both are checked.
    """
    check_packages()
    original = read_checked(source)
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
        keep_dynamic=keep_rope_scaling,
    )
    files = shards(source)
    tied = is_tied(original)
    found = check_original_tensors(source, files, native_model_shapes(source, config), tied=tied)
    message = system_message or own_system_message(original)
    most = int(original.get("max_dynamic_patch") or 12)
    tensors = (
        (n, _third(o, k, len(ns)))
        for o in found
        for ns in [native_names(o)]
        if not (tied and ns == (HEAD,))
        for k, n in enumerate(ns)
    )
    with whole_folder(out) as folder:
        write_native_sides(folder, config, tokenizer, message, most)
        _write_shards(folder, files, tensors)


def to_original(source: Path, out: Path) -> None:
    """Write a native folder in the original InternVLChat layout, weights bit for bit.

    The original's own code is not part of it: OpenGVLab's repositories hold that. Of a tied model
    the embedding alone is stored, and `llm_config` says that it is tied. A stored head that
    differs from the embedding is the head, as in transformers.

    Raises as `to_native` does.
    """
    check_packages()
    native = read_checked(source)
    if not is_native(native):
        raise ConfigError(f"{source}: not a native InternVL checkpoint")
    files = shards(source)
    saved = shapes(files)
    tokenizer = read_tokenizer(source, native)
    named = {module_name(name): shape for name, shape in saved.items()}
    names = {module_name(name): name for name in saved}
    tied = is_tied(native) and (
        HEAD not in names or same_tensor(files, names[HEAD], names[EMBEDDING])
    )
    expected = native_model_shapes(source, native)
    if tied:
        named.pop(HEAD, None)
        del expected[HEAD]
    check_tensors(source, named, expected)
    parts: dict[str, dict[int, str]] = {}
    for module in named:
        joined, third = original_name(module)
        parts.setdefault(joined, {})[third or 0] = names[module]
    config = original_config({**native, "tie_word_embeddings": tied})
    stop = Vocabulary(tokenizer).stops[0]
    with whole_folder(out) as folder:
        write_json(folder / CONFIG, config)
        write_original_tokenizer(folder, tokenizer)
        write_json(folder / "generation_config.json", {"eos_token_id": stop})
        _write_shards(folder, files, ((name, _joined(part)) for name, part in parts.items()))


def native_model_shapes(folder: Path, config: Config) -> dict[str, tuple[int, ...]]:
    """The tensors that a native model with this configuration has, by name. Uses no memory."""
    from accelerate import init_empty_weights
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    with opening(folder, "configuration"), init_empty_weights():
        model = InternVLForConditionalGeneration(InternVLConfig(**config))
    return {name: tuple(t.shape) for name, t in model.state_dict().items()}


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
