"""Writes training conversations to disk as InternVL's recipes read them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from er_bench.core.dialect import Dialect
from er_bench.scenes.shapes import draw
from er_bench.scenes.training_conversations import MIXTURE, conversations


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the data: `count` conversations from `seed` up."""

    name: str
    seed: int
    count: int
    n_turns: int
    n_things: tuple[int, int]
    mixture: tuple[tuple[str, float], ...] = tuple(MIXTURE.items())


def write(folder: Path, parts: Sequence[Part], dialect: Dialect) -> Path:
    """Write pictures, chat files and the meta JSON that lists them; returns the meta JSON.

    A picture is `<name>/<seed>.png`, a part's conversations are `<name>.jsonl`; the meta JSON names
    both from its own folder, so that the whole can be moved.
    """
    meta = {}
    for part in parts:
        root, annotation = folder / part.name, folder / f"{part.name}.jsonl"
        root.mkdir(parents=True, exist_ok=True)
        stream = conversations(part.seed, dialect, part.n_turns, dict(part.mixture), part.n_things)
        with annotation.open("w", encoding="utf-8") as file:
            for said in itertools.islice(stream, part.count):
                name = f"{said.seed}.png"
                draw(said.scene).save(root / name)
                file.write(json.dumps(said.to_record(name), ensure_ascii=False) + "\n")
        meta[part.name] = {
            "root": root.name,
            "annotation": annotation.name,
            "data_augment": False,
            "max_dynamic_patch": 1,
            "repeat_time": 1,
            "length": part.count,
        }
    path = folder / "meta.json"
    path.write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    return path
