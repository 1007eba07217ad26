"""Archives, parquet files, TFRecords and pickles, damaged from a seed."""

from __future__ import annotations

import io
import pickle
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from er_bench.data.archives import members
from er_bench.data.rows import read_rows
from er_bench.data.tfrecord import write_examples
from er_bench.tasks.eb_habitat import pickles
from tests.hostile import damaged, spoilt

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
EPISODES: dict[str, Any] = {
    "all_transforms": [np.eye(4), np.eye(4)],
    "idx_to_name": {0: "apple.object_config.json", 1: "table"},
    "all_eps": [
        {
            "rigid_objs": [[0, 1]],
            "episode_id": "1",
            "scene_id": "s",
            "instruction": "Take the apple.",
            "goal_preds": {"expr_type": "AND", "sub_exprs": ["holding(apple)"]},
            "subgoals": [["holding(apple)"]],
            "start_preds": ["not_holding(apple)"],
            "name_to_receptacle": [[0, 1]],
            "sampled_entities": {},
        }
    ],
}


def archive(method: int, content: bytes = b"a row " * 90) -> bytes:
    """A zip archive of two members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as opened:
        opened.writestr("pictures/a.png", content)
        opened.writestr("b.txt", "text" * 30)
    return out.getvalue()


def makers(folder: Path) -> Mapping[str, Callable[[random.Random], Path]]:
    """What writes a damaged file of each kind under `folder` and returns its path."""
    folder.mkdir()
    archives = [archive(method) for method in METHODS]
    table = pa.table({"id": [1, 2], "text": ["a", "é"], "image": [b"x" * 99, None]})
    packed = []
    for compression in ("none", "snappy", "zstd"):
        pq.write_table(table, folder / "p.parquet", compression=compression)
        packed.append((folder / "p.parquet").read_bytes())
    examples = [{"text": [b"one"], "n": [1, -5]}, {"image": [b"y" * 300]}]
    write_examples(folder / "t.tfrecord", examples)
    records = (folder / "t.tfrecord").read_bytes()

    def write(name: str, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    def pickled(rng: random.Random) -> Path:
        content = pickle.dumps(spoilt(rng, EPISODES), protocol=rng.randint(0, 5))
        return write("e.pickle", damaged(rng, content) if rng.random() < 0.5 else content)

    return {
        "zip": lambda rng: write("a.zip", damaged(rng, rng.choice(archives))),
        "parquet": lambda rng: write("p.parquet", damaged(rng, rng.choice(packed))),
        "tfrecord": lambda rng: write("t.tfrecord", damaged(rng, records)),
        "pickle": pickled,
    }


def read_archive(file: Path) -> None:
    """Every member."""
    for blob in members(file).values():
        blob.read()


def read_all(file: Path) -> None:
    """Every row."""
    list(read_rows(file))


READERS: Mapping[str, Callable[[Path], object]] = {
    "zip": read_archive,
    "parquet": read_all,
    "tfrecord": read_all,
    "pickle": pickles.episodes,
}
