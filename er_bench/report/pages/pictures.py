"""The pictures of a page: those that records name, no larger than they are shown, each once."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import PIL.Image

from er_bench.core.errors import DataError
from er_bench.core.manifest import Manifest
from er_bench.core.sample import MediaRef
from er_bench.data.media import image
from er_bench.data.referenced import References
from er_bench.data.video import frames_at, video_header
from er_bench.report.pages.sample_view import View

LONGEST_SIDE = 900
QUALITY = 82
MASK_RGBA = (0, 158, 115, 120)
"""Bluish green, which people tell from vermilion whatever colours they see (Okabe and Ito)."""
VIDEO_SUFFIXES = {".mp4", ".mkv", ".avi", ".webm", ".mov", ".m4v"}
VIDEO_FRAMES = 6


@dataclass
class Pictures:
    """Makes the pictures of one run's page, as files under `folder`, or inside the page."""

    run: Path
    manifest: Manifest
    folder: Path | None
    """Where files go; None puts them into the page as data."""
    _references: dict[str, References] = field(default_factory=dict)
    _made: dict[str, View | None] = field(default_factory=dict)

    def picture(self, task: str, ref: MediaRef) -> View | None:
        """A picture: `src`, and the width and height that points are counted in."""
        return self._once(task, ref, "picture")

    def mask(self, task: str, ref: MediaRef) -> View | None:
        """A mask as a transparent picture of one colour."""
        return self._once(task, ref, "mask")

    def _once(self, task: str, ref: MediaRef, kind: str) -> View | None:
        key = f"{kind} {task} {asdict(ref)}"
        if key not in self._made:
            try:
                self._made[key] = self._make(task, ref, kind, key)
            except DataError:
                self._made[key] = None
        return self._made[key]

    def _make(self, task: str, ref: MediaRef, kind: str, key: str) -> View:
        found = self._opened(task, ref)
        size = found.size
        content, mime = _encoded(found, kind)
        return {"src": self._kept(content, mime, key), "w": size[0], "h": size[1]}

    def encoded(self, task: str, ref: MediaRef, kind: str) -> tuple[bytes, str]:
        """A picture or a mask as it is shown, and its type. Raises DataError."""
        return _encoded(self._opened(task, ref), kind)

    def _opened(self, task: str, ref: MediaRef) -> PIL.Image.Image:
        if Path(ref.file).suffix.lower() in VIDEO_SUFFIXES:
            return self._frames(task, ref)
        return image(self._reference(task).blob(ref))

    def _reference(self, task: str) -> References:
        if task not in self._references:
            plan = self.manifest.tasks.get(task)
            self._references[task] = References(Path(plan.root if plan else ""), self.run)
        return self._references[task]

    def _frames(self, task: str, ref: MediaRef) -> PIL.Image.Image:
        """A few frames of a video in a row."""
        path = Path(self._reference(task).blob(ref).name)
        n, _, _ = video_header(path)
        frames = frames_at(path, sorted({int(k) for k in np.linspace(0, n - 1, VIDEO_FRAMES)}))
        for frame in frames:
            frame.thumbnail((LONGEST_SIDE // 3, LONGEST_SIDE // 3))
        width, height = frames[0].size
        strip = PIL.Image.new("RGB", (width * len(frames), height))
        for number, frame in enumerate(frames):
            strip.paste(frame, (number * width, 0))
        return strip

    def _kept(self, content: bytes, mime: str, key: str) -> str:
        if self.folder is None:
            return f"data:{mime};base64,{base64.b64encode(content).decode()}"
        name = f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.{mime.rpartition('/')[2]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)
        return f"{self.folder.name}/{name}"


def _encoded(found: PIL.Image.Image, kind: str) -> tuple[bytes, str]:
    if kind == "mask":
        return _mask(found), "image/png"
    shown = found.copy()
    shown.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    out = io.BytesIO()
    shown.save(out, "JPEG", quality=QUALITY)
    return out.getvalue(), "image/jpeg"


def _mask(found: PIL.Image.Image) -> bytes:
    over = np.asarray(found.convert("L")) > 127
    pixels = np.zeros((*over.shape, 4), np.uint8)
    pixels[over] = MASK_RGBA
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return out.getvalue()
