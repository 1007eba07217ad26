"""Files inside a zip archive, read where they are: nothing is unpacked to a path it names."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar
from unicodedata import normalize

from er_bench.core.errors import DataError
from er_bench.core.limits import MEMBER_BYTES
from er_bench.core.sample import MediaRef
from er_bench.data.rows import is_litter

T = TypeVar("T")

DAMAGED = (OSError, LookupError, RuntimeError, ValueError, EOFError, OverflowError, struct.error,
           zlib.error, lzma.LZMAError, zipfile.BadZipFile)  # fmt: skip
"""What `zipfile` raises for damaged archives."""


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
                size = opened.getinfo(self.member).file_size
                if size <= MEMBER_BYTES.most:
                    return opened.read(self.member)
        except DAMAGED as error:
            raise DataError(f"cannot read it: {error}", file=self.name) from error
        raise DataError(MEMBER_BYTES.passed(size), file=self.name)

    def missing(self) -> bool:
        """Whether the archive is gone; its list said that the member is there."""
        return not self.archive.is_file()


def members(archive: Path) -> Mapping[str, ZipBlob]:
    """An archive's files by their base name in NFC. Raises DataError for a damaged archive."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [info.filename for info in opened.infolist() if not info.is_dir()]
            names = [name for name in names if not is_litter(name)]
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
