"""The pictures that an episode showed, kept in the run folder: none, small, or as they were."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import PIL.Image

from er_bench.core.record import Key
from er_bench.core.sample import Blob, MediaRef
from er_bench.data.files import safe_name, writing

FrameSize = Literal["none", "small", "full"]
SMALL_PX = 256
"""Longest side of a small frame."""


@dataclass(frozen=True, slots=True)
class FrameKeeper:
    """Keeps frames under `frames/` of one run folder."""

    folder: Path
    size: FrameSize = "small"

    def keep(self, key: Key, number: int, blob: Blob) -> MediaRef | None:
        """Write the sample's picture of that number; None where frames are not kept."""
        if self.size == "none":
            return None
        task, sample_id, repeat = key
        suffix = "png" if self.size == "full" else "jpg"
        file = Path("frames", task, safe_name(f"{sample_id}-{repeat}"), f"{number:03}.{suffix}")
        path = self.folder / file
        content = blob.read() if self.size == "full" else _small(blob.read())
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return MediaRef(str(file), "run")


def _small(png: bytes) -> bytes:
    out = io.BytesIO()
    with PIL.Image.open(io.BytesIO(png)) as picture:
        picture.thumbnail((SMALL_PX, SMALL_PX))
        picture.convert("RGB").save(out, "JPEG", quality=80)
    return out.getvalue()
