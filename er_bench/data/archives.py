"""Files inside a zip archive, read where they are: nothing is unpacked to a path it names."""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar
from unicodedata import normalize

from er_bench.core.errors import DataError, UsageError
from er_bench.core.sample import MediaRef

T = TypeVar("T")

MOST_MEMBER_BYTES = 512 * 2**20
"""Of a file in an archive, unpacked; an archive of 1 MB can hold 1 GB."""
SETTING = "ER_BENCH_MAX_MEMBER_BYTES"
"""The environment variable that says otherwise."""
DAMAGED = (OSError, LookupError, RuntimeError, ValueError, EOFError, OverflowError, struct.error,
           zlib.error, lzma.LZMAError, zipfile.BadZipFile)  # fmt: skip
"""What `zipfile` raises for damaged archives."""


def most_member_bytes() -> int:
    """How large a member may be. Raises UsageError for a setting that is no number."""
    told = os.environ.get(SETTING, "")
    if told and not told.isdecimal():
        raise UsageError(f"{SETTING} is a number of bytes, not {told!r}")
    return int(told) if told else MOST_MEMBER_BYTES


@dataclass(frozen=True, slots=True)
class ZipBlob:
    """The bytes of one member of an archive."""

    archive: Path
    member: str

    @property
    def name(self) -> str:
        """Archive and member, as a path."""
        return f"{self.archive}/{self.member}"

    @property
    def ref(self) -> MediaRef:
        """Archive and member."""
        return MediaRef(str(self.archive), member=self.member)

    def read(self) -> bytes:
        """The member's bytes. Raises DataError."""
        try:
            with zipfile.ZipFile(self.archive) as opened:
                size, most = opened.getinfo(self.member).file_size, most_member_bytes()
                if size <= most:
                    return opened.read(self.member)
        except DAMAGED as error:
            raise DataError(f"cannot read it: {error}", file=self.name) from error
        raise DataError(
            f"it unpacks to {size} bytes, more than {most}; if that is right: {SETTING}={size}",
            file=self.name,
        )

    def missing(self) -> bool:
        """Whether the archive is gone; its list said that the member is there."""
        return not self.archive.is_file()


def members(archive: Path) -> Mapping[str, ZipBlob]:
    """An archive's files by their base name in NFC. Raises DataError for a damaged archive."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [info.filename for info in opened.infolist() if not info.is_dir()]
    except DAMAGED as error:
        raise DataError(f"not a readable zip archive: {error}", file=archive) from error
    return by_base_name({name: ZipBlob(archive, name) for name in sorted(names)})


def by_base_name(files: Mapping[str, T]) -> Mapping[str, T]:
    """Files by base name in NFC, and also by the name that was meant before a zip's cp437.

    Names in an archive without the UTF-8 flag are read as cp437 letters; the first file wins.
    """
    found: dict[str, T] = {}
    for name, file in files.items():
        base = PurePosixPath(name).name
        found.setdefault(normalize("NFC", base), file)
        try:
            meant = base.encode("cp437").decode("utf-8")
        except UnicodeError:
            continue
        found.setdefault(normalize("NFC", meant), file)
    return found
