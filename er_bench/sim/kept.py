"""Pictures and arrays of a recorded episode as files, each told by name and SHA-256."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from er_bench.core.array import Array
from er_bench.core.paths import resolved
from er_bench.core.picture import is_rgb, png, rgb_hwc

Kept = dict[str, str]
"""`file`, `sha256` and `format`: `png` is PNG bytes; `rgb` is a uint8 picture, kept as PNG; `npy`
is any other array."""


def keep(folder: Path, stem: str, seen: bytes | Array) -> Kept:
    """Write what was seen to a file of the folder. Nothing of it is lost."""
    content, form = _encoded(seen)
    file = re.sub(r"[^A-Za-z0-9]+", "_", stem) + (".npy" if form == "npy" else ".png")
    (folder / file).write_bytes(content)
    return {"file": file, "sha256": hashlib.sha256(content).hexdigest(), "format": form}


def _encoded(seen: bytes | Array) -> tuple[bytes, str]:
    if isinstance(seen, bytes):
        return seen, "png"
    if is_rgb(seen):
        return png(seen), "rgb"
    out = io.BytesIO()
    np.save(out, seen, allow_pickle=False)
    return out.getvalue(), "npy"


def read(folder: Path, kept: Mapping[str, str]) -> bytes | Array:
    """What `keep` wrote. Raises ValueError when it is another file, or not in the folder; OSError.

    Raises KeyError for a table that `keep` did not make.
    """
    path = folder / kept["file"]
    if resolved(path.parent) != resolved(folder):
        raise ValueError(f"the file {kept['file']!r} leaves the episode's folder")
    if not path.is_file():
        raise ValueError(f"there is no file {kept['file']}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != kept["sha256"]:
        raise ValueError(f"file {kept['file']} is not the one recorded")
    if kept["format"] == "png":
        return content
    if kept["format"] == "rgb":
        return rgb_hwc(content)
    array: Array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array
