"""Cards, recipes, option files and settings as they should not be, and what reads them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from er_bench.cli.run import _read_config
from er_bench.core.card import model_card, task_card
from er_bench.core.key_values import typed_key_values
from er_bench.core.registry import Registry
from er_bench.train.recipe import load_recipe
from tests.hostile import damaged, spoilt

BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Aliases of aliases: 9 to the 8th values in a few lines."""
TEXTS = (
    BOMB, "[" * 50_000, "{a: " * 5000, "a: &a [*a]", "&a a: *a", "<<: [*a]", "a: &a {b: 1}\n<<: *a",
    "? [a, b]\n: 1", "? {a: 1}\n: 1", "1: a", "true: a", "null: a", "a: 2024-02-31",
    "a: 2024-01-01",
    "a: !!binary aGk=", "a: !!set {b}", "a: !!python/object/apply:os.system [ls]", "a: !x b",
    "a: 0x" + "f" * 5000, "a: " + "9" * 5000, "a: .inf", "a: .nan", 'a: "\\0"', 'a: "\\ud800"',
    "%YAML 9.9\n---\na: 1", "--- a\n--- b", "a: 1\na: 2", "\ta: 1", "a: |\n b\nc", "- a\nb: 1",
    "a: 1:2:3", "a: 1e400", "'", "a: 'b", "a: ]", "*a", "!", "&", "@", "`", "%", "\ufeffa: 1",
)  # fmt: skip


@dataclass
class Context:
    """As much of a command line as an option file needs."""

    default_map: object = None

    @property
    def command(self) -> Context:
        return self

    @property
    def params(self) -> list[object]:
        return []


def readers() -> Mapping[str, tuple[Any, Callable[[Path], object]]]:
    """A right content of each kind of file, and what reads it."""
    registry = Registry()
    model = {"name": "m", "title": "M", "family": "internvl", "backend": "transformers",
             "checkpoint": "a/b", "dialect": "internvl_1000", "decoding": {"temperature": 0.0},
             "args": {"max_tiles": 12}, "shutdown": {"date": "2027", "source": "x"}}  # fmt: skip
    recipe = {"family": "internvl", "preset": None, "model": "a/b", "data": "meta.json",
              "output": "out", "epochs": 1.0, "learning_rate": 1e-5, "video_frames": [2, 8],
              "eval_tasks": ["erqa"]}  # fmt: skip
    return {
        "task card": (registry.task_card("vsibench").model_dump(), task_card),
        "model card": (model, model_card),
        "recipe": (recipe, load_recipe),
        "options": ({"tasks": ["erqa"], "model_args": {"a": 1}},
                    lambda file: _read_config(Context(), file)),  # type: ignore[arg-type]
        "settings": ({"a": 1, "b": [1, 2]},
                     lambda file: typed_key_values(file.read_text("latin-1"), "--model-args")),
    }  # fmt: skip


def write(rng: random.Random, right: Any, file: Path) -> None:
    """A file with odd values, damage, or YAML that nobody should write."""
    what = rng.random()
    changed = spoilt(rng, right) if what < 0.7 else right
    try:
        text = yaml.safe_dump(changed, allow_unicode=True)
    except RecursionError:
        text = json.dumps(changed)
    text = text if rng.random() < 0.5 else json.dumps(changed)
    content = text.encode("utf-8", "surrogatepass")
    if what > 0.9:
        content = rng.choice(TEXTS).encode()
    elif what > 0.8:
        content = damaged(rng, content)
    elif what > 0.7:
        content = (text + "\n" + rng.choice(TEXTS)).encode("utf-8", "surrogatepass")
    file.write_bytes(content)
