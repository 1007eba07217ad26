"""A tiny checkpoint and small data sets in the released format."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from er_bench.models.internvl.training import TRAINING, InternVLCodec
from er_bench.train.data.examples import Reader
from er_bench.train.data.records import Source, read_meta

Record = dict[str, Any]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """More threads than free cores make small models slow."""
    import torch

    torch.set_num_threads(1)


def talk(*values: str, system: str | None = None) -> list[dict[str, str]]:
    """A conversation: question, answer, question, answer, ..."""
    turns = [{"from": ("human", "gpt")[k % 2], "value": v} for k, v in enumerate(values)]
    return ([{"from": "system", "value": system}] if system else []) + turns


def write_meta(folder: Path, records: Sequence[Record | str], **meta: Any) -> Path:
    """One data set `toy`; a string stands for a line as it is. Returns the meta JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
    (folder / "toy.jsonl").write_text("".join(f"{line}\n" for line in lines))
    entry = {"root": ".", "annotation": "toy.jsonl", **meta}
    (folder / "meta.json").write_text(json.dumps({"toy": entry}))
    return folder / "meta.json"


def write_images(folder: Path, n: int) -> None:
    """`0.png`, `1.png`, ... of noise, in three shapes; the first is one tile."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for k in range(n):
        width, height = [(28, 28), (80, 40), (28, 60)][k % 3]
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{k}.png")


def write_video(path: Path, frames: int, rate: int = 10) -> None:
    """A video of 32x32 pixels that goes from black to white."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for k in range(frames):
            grey = np.full((32, 32, 3), k * 255 // frames, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def mixed_records(n: int) -> list[Record]:
    """One image, two images, several turns, text alone, answers of many lengths."""
    records: list[Record] = []
    for k in range(n):
        answer = " ".join(str(j) for j in range(k * 7 % 23 + 1))
        match k % 4:
            case 0:
                records.append({"image": f"{k}.png", "conversations": talk("Where is it?", answer)})
            case 1:
                names = [f"{k}.png", f"{k - 1}.png"]
                question = "Image-1: <image>\nImage-2: <image>\nDo they differ?"
                records.append({"image": names, "conversations": talk(question, "Yes!")})
            case 2:
                turns = talk("<image>\nCount.", answer, "Are you sure?", "No!")
                records.append({"image": f"{k}.png", "conversations": turns})
            case _:
                records.append({"conversations": talk("Say something!", answer)})
    return records


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained native checkpoint with tiles of 28 pixels and one token each."""
    from er_bench.models.internvl.tiny import make_tiny

    small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    return make_tiny(
        tmp_path_factory.mktemp("tiny") / "model",
        vocab_size=300,
        tile_px=28,
        system_message="Be brief.",
        vision={**small, "num_hidden_layers": 1},
        text={**small, "hidden_size": 32, "num_key_value_heads": 1},
    )


@pytest.fixture(scope="session")
def codec(checkpoint: Path) -> InternVLCodec:
    return TRAINING.codec(checkpoint, system_message="Be brief.")


@pytest.fixture(scope="session")
def mixture_meta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 records of all kinds."""
    folder = tmp_path_factory.mktemp("mixture")
    write_images(folder, 40)
    return write_meta(folder, mixed_records(40), max_dynamic_patch=4)


@pytest.fixture
def one_source(tmp_path: Path) -> Callable[..., Source]:
    """A data set from records, with a few images beside it."""

    def make(*records: Record | str, **meta: Any) -> Source:
        write_images(tmp_path, 6)
        return read_meta(write_meta(tmp_path, records, **meta))[0]

    return make


@pytest.fixture
def reader(codec: InternVLCodec) -> Callable[..., Reader]:
    def make(**settings: Any) -> Reader:
        defaults = {"sequence_length": 4096, "max_tiles": 12, "video_frames": (2, 5)}
        return Reader(codec, **{**defaults, "reduction": "token", "seed": 0, **settings})

    return make
