"""One look at a medium: what its bytes are, and what is wrong with them, without decoding them all.

A picture whose file ends as its format ends counts as whole; any other is decoded. Nothing that is
found is kept, so that a file that was mended is seen as it is.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from er_bench.core.errors import DataError, MissingExtraError
from er_bench.core.picture import PNG_END, PNG_SIGNATURE
from er_bench.core.sample import Blob
from er_bench.data.media import opened
from er_bench.data.rows import FileBlob
from er_bench.data.video import check_video, container_end

Kind = Literal["picture", "video", "file"]
WHOLE_BYTES = 4 * 2**20
"""Files up to this size are hashed whole, larger ones by size and three pieces."""
PIECE_BYTES = 256 * 2**10
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"}
LFS, ANNEX = b"version https://git-lfs", b"/annex/objects/"
BEGINNINGS = (b"\xff\xd8", PNG_SIGNATURE, b"RIFF")
POINTER_BYTES = 1024
"""No pointer file is longer (Git LFS specification)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one medium."""

    n_bytes: int
    sha256: str
    """Of the bytes; of a file over WHOLE_BYTES, of its first, middle and last piece."""
    fault: str = ""
    """What is wrong with it and what to do, in the first words what it is; empty for nothing."""


def look(medium: Blob | Path, kind: Kind) -> Look:
    """Look at a medium that is there. Never raises DataError: that is a fault of the medium."""
    path = medium.path if isinstance(medium, FileBlob) else medium
    try:
        n_bytes, pieces = _file_pieces(path) if isinstance(path, Path) else _blob_pieces(path)
    except DataError as error:
        return Look(0, "", f"not readable: {error}")
    except OSError as error:
        return Look(0, "", f"not readable: {error.strerror}")
    sha256 = hashlib.sha256(b"".join(pieces)).hexdigest()
    fault = _no_medium(pieces[0], n_bytes)
    if not fault and kind != "file":
        try:
            if kind == "picture":
                source = path if isinstance(path, Path) and len(pieces) > 1 else pieces[0]
                _check_picture(source, pieces, n_bytes)
            elif isinstance(path, Path):
                check_video(path)
        except MissingExtraError:
            pass  # a model that looks at it will say so
        except DataError as error:
            fault = error.problem
    return Look(n_bytes, sha256, fault)


def _file_pieces(path: Path) -> tuple[int, list[bytes]]:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= WHOLE_BYTES:
            content = file.read(WHOLE_BYTES)
            return len(content), [content]
        pieces = []
        for at in (0, (size - PIECE_BYTES) // 2, size - PIECE_BYTES):
            file.seek(at)
            pieces.append(file.read(PIECE_BYTES))
        return size, pieces


def _blob_pieces(blob: Blob) -> tuple[int, list[bytes]]:
    content = blob.read()
    return len(content), [content]


def _no_medium(head: bytes, n_bytes: int) -> str:
    """What a file is that is no medium at all; empty for anything else."""
    if not n_bytes:
        return "an empty file: download it again"
    if n_bytes <= POINTER_BYTES and head.startswith(LFS):
        return "a Git LFS pointer, not the file: run git lfs pull"
    if n_bytes <= POINTER_BYTES and ANNEX in head:
        return "a git-annex pointer, not the file: run git annex get"
    if head[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype html", b"<html")):
        return "an HTML page, not the file: download it again"
    return ""


def _check_picture(source: Path | bytes, pieces: list[bytes], n_bytes: int) -> None:
    whole = ends_well(pieces[0], pieces[-1], n_bytes)
    try:
        with opened(source, "") as found:
            if not whole:
                found.load()
    except DataError as error:
        known = pieces[0].startswith(BEGINNINGS) and not whole
        what = "a picture that is cut off or damaged, download it again: " if known else ""
        raise DataError(what + error.problem) from error


def ends_well(head: bytes, tail: bytes, n_bytes: int) -> bool:
    """Whether a picture file ends as its format does, so that nothing is cut off."""
    if head.startswith(b"\xff\xd8"):
        return tail.rstrip(b"\0").endswith(b"\xff\xd9")
    if head.startswith(PNG_SIGNATURE):
        return tail.endswith(PNG_END)
    return head.startswith(b"RIFF") and container_end(head) <= n_bytes


def kind_of_truth(medium: Blob | Path) -> Kind:
    """What a medium besides a sample's parts is: a mask, or by its name another file."""
    named = isinstance(medium, Path) and medium.suffix.lower() not in PICTURE_SUFFIXES
    return "file" if named else "picture"
