"""Everything of a checkpoint folder but its weights: configuration, tokenizer, processor."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from er_bench.core.errors import ConfigError
from er_bench.models.checkpoint import Config, check_fetched, one_line, read_object
from er_bench.models.internvl.conversation import Style
from er_bench.models.internvl.part import shortened
from er_bench.models.internvl.template import chat_template
from er_bench.models.internvl.tiling import IMAGENET_MEAN, IMAGENET_STD
from er_bench.models.internvl.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LEFTOVERS = (
    "chat_template",
    "auto_map",
    "is_local",
    "local_files_only",
    "model_specific_special_tokens",
)
"""Tokenizer settings of the source, or of how it was read, that a folder should not carry."""


TOKENIZER_FILES = (
    *("added_tokens.json", "special_tokens_map.json", "tokenizer.json"),
    *("tokenizer_config.json", "vocab.json"),
)


def check_sides(folder: Path, tile_px: int) -> None:
    """Check the files beside the weights that transformers reads leniently or er-bench not at all.

    Decoding settings are the run's: `generation_config.json` need only be readable. Pictures are
    prepared in one way (tiling.py), which `preprocessor_config.json` must not contradict.

    Raises ConfigError for a damaged file, or for other pixels than those that are sent.
    """
    for name in (*TOKENIZER_FILES, "generation_config.json"):
        if (folder / name).exists():
            read_object(folder / name)
    _check_vocabulary(folder)
    file = folder / "preprocessor_config.json"
    if not file.exists():
        return
    found = read_object(file)
    for name, value in _look(tile_px, tile_px).items():
        given = found.get(name)
        if given is None or name in ("processor_class", "size"):
            continue
        if not _equal(given, value):
            raise ConfigError(
                f"{file}: it has {name} = {shortened(given)}; only {value} is supported"
            )
    if found.get("min_patches", 1) != 1:
        given = shortened(found["min_patches"])
        raise ConfigError(f"{file}: it has min_patches = {given}; only 1 is supported")
    size = found.get("size")
    sides = list(size.values()) if isinstance(size, dict) else [size]
    if any(side not in (None, tile_px) for side in sides):
        raise ConfigError(
            f"{file}: it has size = {shortened(size)}, but the model's tiles are {tile_px} pixels"
        )


def _equal(given: object, value: object) -> bool:
    if isinstance(value, tuple):
        if not isinstance(given, list) or len(given) != len(value):
            return False
        return all(_equal(g, v) for g, v in zip(given, value, strict=True))
    if isinstance(value, float):
        return isinstance(given, float) and math.isclose(given, value, rel_tol=1e-6)
    return given == value


def _check_vocabulary(folder: Path) -> None:
    """Raise ConfigError for ids that are not one for each token, or a cut `merges.txt`.

    Hardly a token may lack its merge.
    """
    merges, vocabulary = folder / "merges.txt", folder / "vocab.json"
    if not (merges.is_file() and vocabulary.is_file()):
        return
    check_fetched(merges)
    try:
        lines = merges.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{merges}: cannot read it: {one_line(error)}") from error
    made = {line.replace(" ", "") for line in lines}
    known = read_object(vocabulary)
    ids = {index for index in known.values() if type(index) is int and index >= 0}
    if len(ids) < len(known):
        raise ConfigError(
            f"{vocabulary}: the ids are not one number for each token; fetch it again"
        )
    tokens = [token for token in known if len(token) > 1]
    lacking = [token for token in tokens if token not in made]
    if len(lacking) > len(tokens) / 100:
        raise ConfigError(
            f"{merges}: {len(lacking)} of {len(tokens)} tokens have no merge, {lacking[0]!r} among "
            "them: the file is cut or another tokenizer's; fetch it again"
        )


def _look(height: int, width: int) -> dict[str, object]:
    """How pixels are made, as transformers' image processors spell it."""
    return {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
        "processor_class": "InternVLProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": height, "width": width},
    }


def write_native_sides(
    out: Path,
    config: Config,
    tokenizer: PreTrainedTokenizerBase,
    system_message: str,
    max_tiles: int,
) -> None:
    """Everything of a native folder but its weights."""
    from transformers import GenerationConfig, InternVLConfig

    native = InternVLConfig(**config)
    native.save_pretrained(out)
    end, pad = Vocabulary(tokenizer).stops
    GenerationConfig(eos_token_id=[end, pad], pad_token_id=pad).save_pretrained(out)  # type: ignore[no-untyped-call]
    write_native_tokenizer(out, tokenizer, system_message)
    side = config["vision_config"]["image_size"]
    height, width = (side, side) if isinstance(side, int) else side
    look = _look(height, width)
    tiles = {"crop_to_patches": True, "min_patches": 1, "max_patches": max_tiles}
    still = {"image_processor_type": "GotOcr2ImageProcessor", **look, **tiles}
    write_json(out / "preprocessor_config.json", still)
    video = {"video_processor_type": "InternVLVideoProcessor", **look, "do_sample_frames": False}
    write_json(out / "video_preprocessor_config.json", video)
    processor = {
        "processor_class": "InternVLProcessor",
        "image_seq_length": native.image_seq_length,
    }
    write_json(out / "processor_config.json", processor)


def write_native_tokenizer(
    out: Path, tokenizer: PreTrainedTokenizerBase, system_message: str
) -> None:
    """The tokenizer with the names that transformers' InternVL processor asks for.

    The video token must not be a new one: its id would lie outside the embedding.
    """
    from transformers import Qwen2Tokenizer

    names = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<|video_pad|>",
    }
    if names["video_token"] not in tokenizer.get_added_vocab():
        raise ConfigError("the tokenizer has no <|video_pad|> token: not Qwen2.5's")
    tokenizer.save_pretrained(out)
    path = out / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    # Opened as Qwen2's, another tokenizer would be put together again with Qwen2's split of digits.
    qwen2 = isinstance(tokenizer, Qwen2Tokenizer)
    settings |= {
        "tokenizer_class": "Qwen2Tokenizer" if qwen2 else "PreTrainedTokenizerFast",
        "processor_class": "InternVLProcessor",
        "padding_side": "left",
        "extra_special_tokens": names,
        **names,
    }
    for leftover in LEFTOVERS:
        settings.pop(leftover, None)
    write_json(path, dict(sorted(settings.items())))
    template = chat_template(Style(system_message).system_text())
    (out / "chat_template.jinja").write_text(template, encoding="utf-8")


def write_original_tokenizer(out: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """The slow tokenizer's files, which the original code reads."""
    backend: Any = tokenizer.backend_tokenizer
    model = json.loads(backend.to_str())["model"]
    write_json(out / "vocab.json", model["vocab"], indent=None)
    merges = (" ".join(m) if isinstance(m, list) else m for m in model["merges"])
    (out / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    write_json(out / "added_tokens.json", tokenizer.get_added_vocab())
    added = {
        str(index): {
            name: getattr(token, name)
            for name in ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
        }
        for index, token in tokenizer.added_tokens_decoder.items()
    }
    settings = {
        "tokenizer_class": "Qwen2Tokenizer",
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "additional_special_tokens": [t["content"] for t in added.values() if t["special"]],
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "unk_token": None,
    }
    write_json(out / "tokenizer_config.json", settings)


def share_weights(out: Path) -> None:
    """Give the weights the permissions of the other files: safetensors lets nobody else read."""
    for file in out.glob("*.safetensors"):
        shutil.copymode(out / "config.json", file)


def write_json(path: Path, content: object, indent: int | None = 2) -> None:
    """Write JSON, indented unless told otherwise."""
    text = json.dumps(content, ensure_ascii=False, indent=indent)
    path.write_text(text + "\n", encoding="utf-8")
