"""Training records and meta files as they should not be, and what reads them first."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from er_bench.train.data.examples import Reader
from er_bench.train.data.records import read_meta
from er_bench.train.data.scan import measure_chunk
from tests.hostile import damaged, spoilt

from .conftest import talk, write_images

RECORDS: tuple[dict[str, Any], ...] = (
    {"id": 1, "image": "0.png", "width": 28, "height": 28, "conversations": talk("Where?", "1")},
    {"image": ["0.png", "1.png"], "conversations": talk("<image> <image>", "2")},
    {"conversations": talk("Say it.", "3", system="Be kind.")},
    {"video": "0.mp4", "clip": [0, 1.5], "conversations": talk("<video>What?", "4")},
)
META = {"root": ".", "annotation": "a.jsonl", "repeat_time": 1, "max_dynamic_patch": 4,
        "data_augment": False, "length": 4}  # fmt: skip


def begin(folder: Path) -> None:
    """The files that sound records name; the video is none."""
    write_images(folder, 3)
    (folder / "0.mp4").write_bytes(b"no video")


def write(rng: random.Random, folder: Path) -> Path:
    """A meta file and its records, with one odd thing somewhere."""
    where = rng.random()
    meta = {"toy": spoilt(rng, META)} if where < 0.2 else {"toy": META}
    records = [spoilt(rng, r) if where >= 0.2 and rng.random() < 0.5 else r for r in RECORDS]
    content = "\n".join(json.dumps(record) for record in records).encode()
    told = json.dumps(meta).encode()
    (folder / "a.jsonl").write_bytes(damaged(rng, content) if where > 0.85 else content)
    (folder / "meta.json").write_bytes(damaged(rng, told) if 0.2 < where < 0.25 else told)
    return folder / "meta.json"


def read(meta: Path, reader: Reader) -> list[str]:
    """What is wrong with each record; raises for the meta file itself."""
    faults: list[str] = []
    for source in read_meta(meta):
        faults += measure_chunk(source, reader, range(len(source.offsets)))[1].values()
    return faults
