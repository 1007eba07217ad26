"""The checkpoints in a run's output: which of them is whole, and what the others lack."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from er_bench.core.errors import ErBenchError, StoreError

STATE = "trainer_state.json"
"""The Trainer writes it last: a checkpoint without it was cut off, not taken apart."""
PARTS = {
    STATE: (STATE,),
    "its weights": (
        *("model*.safetensors", "adapter_model*.safetensors"),
        *("pytorch_model_fsdp*", "global_step*"),
    ),
    "optimizer.pt": ("optimizer.pt", "optimizer.bin", "optimizer_*", "global_step*"),
    "scheduler.pt": ("scheduler.pt",),
    "rng_state.pth": ("rng_state*.pth",),
}
"""What a whole checkpoint holds, and the files or folders that may be it, with and without
sharding."""
INDEX = "model.safetensors.index.json"


def checkpoints(output: Path) -> tuple[Path | None, dict[Path, str]]:
    """The newest whole checkpoint of a run, and what is wrong with newer ones."""
    found = [
        folder
        for folder in output.glob("checkpoint-*")
        if (number := _number(folder)).isascii() and number.isdecimal()
    ]
    broken: dict[Path, str] = {}
    for folder in sorted(found, key=lambda folder: int(_number(folder)), reverse=True):
        if not (faults := _faults(folder)):
            return folder, broken
        broken[folder] = " and ".join(faults)
    return None, broken


def _number(folder: Path) -> str:
    return folder.name.removeprefix("checkpoint-")


def _faults(folder: Path) -> list[str]:
    lacks, damaged, step = [], set[str](), int(_number(folder))
    for name, forms in PARTS.items():
        parts = [part for form in forms for part in folder.glob(form)]
        if not parts:
            lacks.append(name)
        for part in parts:
            inside = [file for file in part.rglob("*") if file.is_file()]
            files = inside if part.is_dir() else [part]
            if not files or any(_is_damaged(file, step) for file in files):
                damaged.add(part.name)
    if (folder / INDEX).is_file():
        lacks += _missing_shards(folder)
    told = (("lacks", lacks), ("has a damaged", sorted(damaged)))
    return [f"{what} {', '.join(names)}" for what, names in told if names]


def _is_damaged(file: Path, step: int) -> bool:
    """Whether a file is not what its name says: cut off, another format, a wrong checksum."""
    from safetensors import SafetensorError, safe_open

    try:
        if file.name == STATE:
            return bool(json.loads(file.read_bytes())["global_step"] != step)
        if file.suffix == ".safetensors":
            with safe_open(file, "pt"):
                return False
        if file.suffix in (".pt", ".pth", ".bin"):
            # torch.load does not look at the checksums.
            with zipfile.ZipFile(file) as archive:
                return archive.testzip() is not None
        # A rank that holds nothing writes an empty shard.
        return file.suffix != ".distcp" and file.stat().st_size == 0
    except (OSError, ValueError, LookupError, TypeError, RecursionError, EOFError,
            NotImplementedError, RuntimeError, SafetensorError, zipfile.BadZipFile,
            zlib.error):  # fmt: skip
        return True


def _missing_shards(folder: Path) -> list[str]:
    try:
        names = {
            str(name) for name in json.loads((folder / INDEX).read_bytes())["weight_map"].values()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return [INDEX]
    return sorted(name for name in names if not (folder / name).is_file())


@contextmanager
def loading(checkpoint: str | None) -> Iterator[None]:
    """Raise StoreError for whatever torch makes of a checkpoint that is whole and still wrong."""
    try:
        yield
    except ErBenchError:
        raise
    except Exception as error:
        if checkpoint is None:
            raise
        told = f"{type(error).__name__}: {' '.join(str(error).split()):.300}"
        raise StoreError(
            f"{checkpoint} cannot be gone on from: {told}; move it away, and --resume goes on from "
            "the one before"
        ) from error
