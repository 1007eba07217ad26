"""Checkpoints as they should not be: odd values in every field, damage to every file."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from er_bench.models.checkpoint import opening
from er_bench.models.internvl.config import check_native, native_config
from er_bench.models.internvl.fields import Chat, Language, Vision, check_original
from er_bench.models.internvl.rope import Rope

DEEP: list[Any] = []
for _ in range(500):
    DEEP = [DEEP]

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 3, 7, -1, -2, 448, 2**31, 2**63, 10**30, -(10**30)),
    *(0.0, 0.5, 1.5, -0.5, 1e-300, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", "0", "1", "true", "None", "float16", "gelu", "qwen2", "v1", "\ud800", "\0", "\x1b[31m"),
    *("x" * 10_000, [], [1], [[1]], [None], {}, {"": 1}, {"rope_type": "yarn"}, {"type": 3}),
    *({"type": "linear", "factor": "2"}, {"rope_type": "dynamic", "factor": 0}, DEEP),
    {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e6, "beta_fast": [32]},
)
"""A value of every type and some that are just beside a right one."""

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"

PARTS = {
    "": [*Chat.model_fields, "templete", "vision_feature_layer", "image_token_id"],
    "llm_config": [*Language.model_fields, "rope_thetas"],
    "text_config": [*Language.model_fields, "rope_thetas"],
    "vision_config": [*Vision.model_fields, "use_qk_norm", "attention_bias", "norm_typ"],
}


def hostile_configs(config: dict[str, Any], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """A configuration with one to three fields replaced or gone: each field by each value first."""
    draw = random.Random(seed)
    places = [(p, name) for p in PARTS if not p or p in config for name in _names(config, p)]
    each = [(place, value) for place in places for value in ODD]
    draw.shuffle(each)
    for k in range(count):
        changed = copy.deepcopy(config)
        first = each[k % len(each)]
        more = [(draw.choice(places), draw.choice(ODD)) for _ in range(draw.choice((0, 0, 1, 2)))]
        for (part, name), value in [first, *(more if k >= len(each) else [])]:
            fields = changed.get(part) if part else changed
            if not isinstance(fields, dict):
                continue
            if draw.random() < 0.03:
                fields.pop(name, None)
            elif name in ("rope_scaling", "rope_parameters") and draw.random() < 0.5:
                fields[name] = {
                    n: draw.choice((4.0, 1e6, "yarn", value)) for n in draw.sample([*ROPE], 4)
                }
            else:
                fields[name] = dict(value) if isinstance(value, dict) else value
        yield changed


ROPE = (*Rope.model_fields, "type", "fector")


def _names(config: dict[str, Any], part: str) -> list[str]:
    return sorted({*PARTS[part], *(config[part] if part else config)})


def read(config: dict[str, Any]) -> None:
    """What is done with a configuration before any weight is read."""
    from transformers import InternVLConfig

    if "llm_config" in config:
        check_original(config)
        config = dict(native_config(config, image_token_id=7, eos_token_id=5, pad_token_id=6))
    check_native(config)
    with opening(Path("folder"), "configuration"):
        InternVLConfig(**config)


def damage(folder: Path, out: Path, seed: int) -> str:
    """A copy of a folder with one file damaged. Returns what was done."""
    draw = random.Random(seed)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folder, out)
    file = draw.choice(sorted(out.iterdir()))
    content = file.read_bytes()
    what = draw.choice(("cut", "head", "flip", "pointer", "html", "gone", "folder", "value"))
    if what == "cut":
        file.write_bytes(content[: draw.randrange(len(content))])
    elif what in ("head", "flip"):
        changed = bytearray(content)
        for _ in range(draw.choice((1, 8, 64))):
            end = min(len(changed), 2000 if what == "head" else len(changed))
            changed[draw.randrange(end)] = draw.randrange(256)
        file.write_bytes(changed)
    elif what == "pointer":
        file.write_bytes(POINTER)
    elif what == "html":
        file.write_text("<!doctype html><title>Sign in</title>")
    elif what == "gone":
        file.unlink()
    elif what == "folder":
        file.unlink()
        file.mkdir()
    elif file.suffix == ".json":
        file.write_text(json.dumps(_with_odd_value(json.loads(content), draw)))
    return f"{what} {file.name}"


def _with_odd_value(content: Any, draw: random.Random) -> Any:
    """JSON with one value replaced at some depth."""
    if not isinstance(content, (dict, list)) or not content or draw.random() < 0.15:
        return draw.choice(ODD)
    key = draw.choice(list(content) if isinstance(content, dict) else range(len(content)))
    content[key] = _with_odd_value(content[key], draw)
    return content
