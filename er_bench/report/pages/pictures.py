"""The pictures of a page: those that records name, no larger than they are shown, each once."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageOps

from er_bench.core.errors import DataError
from er_bench.core.manifest import Manifest
from er_bench.core.sample import MediaRef
from er_bench.data.clip import why_no_h264, write_clip
from er_bench.data.media import image
from er_bench.data.referenced import References
from er_bench.data.video import frames_at, video_header
from er_bench.report.pages.sample_view import View, shortened

LONGEST_SIDE = 900
QUALITY = 82
MASK_RGBA = (0, 158, 115, 120)
"""Bluish green, which people tell from vermilion whatever colours they see (Okabe and Ito)."""
VIDEO_SUFFIXES = {".mp4", ".mkv", ".avi", ".webm", ".mov", ".m4v"}
VIDEO_FRAMES = 6
FILM_FPS = 1
"""Frames of an episode that its video shows in a second: one a plan."""


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

    def film(self, task: str, frames: Sequence[MediaRef]) -> View | None:
        """A video of an episode's frames: `src`, or `why` there is none.

        None where fewer than two frames were kept.
        """
        kept = tuple(ref for ref in frames if ref.file)
        if len(kept) < 2:
            return None
        if (why := self._why_no_film()) is not None:
            return {"why": why}
        try:
            return {"src": self._film(task, kept, name_of(f"film {task} {kept}"))}
        except DataError as error:
            return {"why": shortened(str(error))}

    def _why_no_film(self) -> str | None:
        if self.folder is None:
            return "one file holds no videos; a folder does (leave --single out)"
        return why_no_h264()

    def _film(self, task: str, frames: Sequence[MediaRef], name: str) -> str:
        assert self.folder is not None, "asked for before"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write_film(task, frames, self.folder / f"{name}.mp4")
        return f"{self.folder.name}/{name}.mp4"

    def write_film(self, task: str, frames: Sequence[MediaRef], file: Path) -> None:
        """Write frames as an MP4, all in the size of the first; whole or not at all.

        Raises DataError.
        """
        partial = file.with_stem(f"{file.stem}-partial")
        try:
            write_clip(partial, self._film_frames(task, frames), FILM_FPS, keyframes=1)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)

    def _film_frames(self, task: str, frames: Sequence[MediaRef]) -> Iterator[PIL.Image.Image]:
        size: tuple[int, int] | None = None
        for ref in frames:
            frame = self._opened(task, ref).convert("RGB")
            frame.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            size = size or (frame.width + frame.width % 2, frame.height + frame.height % 2)
            yield ImageOps.pad(frame, size)

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
        name = f"{name_of(key)}.{mime.rpartition('/')[2]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)
        return f"{self.folder.name}/{name}"


def name_of(key: str) -> str:
    """A name for what a key stands for, the same for the same key."""
    return hashlib.sha256(key.encode()).hexdigest()[:20]


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
