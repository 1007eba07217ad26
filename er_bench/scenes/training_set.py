"""Writes training conversations to disk as recipes read them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from er_bench.core.dialect import Dialect
from er_bench.core.sample import Image
from er_bench.data.chat_records import chat_record
from er_bench.data.rows import FileBlob
from er_bench.scenes.shapes import draw
from er_bench.scenes.training_conversations import MIXTURE, conversations


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the data: `count` conversations from `seed` up."""

    name: str
    seed: int
    count: int
    n_exchanges: int
    n_things: tuple[int, int]
    mixture: tuple[tuple[str, float], ...] = tuple(MIXTURE.items())


def write(folder: Path, stretches: Sequence[Stretch], dialect: Dialect) -> Path:
    """Write pictures, chat files and the meta JSON that lists them; returns the meta JSON.

    A picture is `<name>/<seed>.png`, a stretch's conversations are `<name>.jsonl`; the meta JSON
    names both from its own folder, so that the whole can be moved.
    """
    meta = {}
    for stretch in stretches:
        root, annotation = folder / stretch.name, folder / f"{stretch.name}.jsonl"
        root.mkdir(parents=True, exist_ok=True)
        stream = conversations(
            stretch.seed, dialect, stretch.n_exchanges, dict(stretch.mixture), stretch.n_things
        )
        with annotation.open("w", encoding="utf-8") as file:
            for said in itertools.islice(stream, stretch.count):
                name = f"{said.seed}.png"
                draw(said.scene).save(root / name)
                messages = said.messages(Image(FileBlob(root / name)))
                record = chat_record(said.seed, messages, root, said.scene.size_wh)
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        meta[stretch.name] = {
            "root": root.name,
            "annotation": annotation.name,
            "data_augment": False,
            "max_dynamic_patch": 1,
            "repeat_time": 1,
            "length": stretch.count,
        }
    path = folder / "meta.json"
    path.write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    return path
