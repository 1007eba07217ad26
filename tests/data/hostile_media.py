"""Damaged pictures and videos: whole ones of every format, cut, changed, doubled or swapped."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image

from tests.data.clips import write_greys, write_sound

PICTURES = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
VIDEOS = (("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.webm", "libvpx"),
          ("a.ts", "libx264"), ("a.gif", ""))  # fmt: skip
OTHERS = (b"", b"\0" * 64, b"version https://git-lfs.github.com/spec/v1\n", b"<html>no</html>",
          b"#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/a.ts\n", b"%!PS-Adobe-3.0 EPSF-3.0\n",
          b"ffconcat version 1.0\nfile a.mp4\n", b"\xff\xd8\xff\xd9", b"BLP2" + b"\1" * 60,
          b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\7" * 64)  # fmt: skip


def whole_pictures() -> list[bytes]:
    """A small picture in every format that is read, one of them with EXIF."""
    pixels = np.random.default_rng(5).integers(0, 256, (24, 40, 3), np.uint8)
    picture, found = PIL.Image.fromarray(pixels), []
    exif = picture.getexif()
    exif[0x0112] = 6
    for name in PICTURES:
        for options in ({"exif": exif}, {}) if name in ("JPEG", "PNG", "WEBP") else ({},):
            out = io.BytesIO()
            picture.save(out, name, **options)
            found.append(out.getvalue())
    return found


def whole_videos(folder: Path) -> list[bytes]:
    """A short video in every container of VIDEOS, and a sound file."""
    found = []
    for name, codec in VIDEOS:
        path = folder / name
        if codec:
            write_greys(path, 12, codec)
        else:
            frames = [PIL.Image.new("L", (32, 24), 20 * k) for k in range(6)]
            frames[0].save(path, save_all=True, append_images=frames[1:])
        found.append(path.read_bytes())
    return [*found, write_sound(folder / "sound.mp4").read_bytes()]


def damaged(whole: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Each of `whole` damaged at random, in turn; what is no medium at all comes first."""
    yield from OTHERS[:count]
    random = np.random.default_rng(seed)
    for k in range(count - len(OTHERS)):
        yield _damage(bytearray(whole[k % len(whole)]), whole, random)


def _damage(content: bytearray, whole: list[bytes], random: np.random.Generator) -> bytes:
    at = int(random.integers(len(content)))
    match int(random.integers(6)):
        case 0:
            del content[at:]
        case 1:  # most of what a header says stands in the first bytes
            for place in random.integers(0, min(len(content), 400), 4):
                content[place] = int(random.integers(256))
        case 2:
            for place in random.integers(0, len(content), 30):
                content[place] = int(random.integers(256))
        case 3:
            content[at : at + 4] = random.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
        case 4:
            del content[at : at + int(random.integers(1, 64))]
        case _:
            content[at:] = whole[int(random.integers(len(whole)))][at // 2 :]
    return bytes(content)
