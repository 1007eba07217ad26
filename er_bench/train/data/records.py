"""Training records: chat JSON lines named by a meta JSON, read by byte offset.

The meta JSON is that of OpenGVLab/Vlaser `internvl_chat_finetune.py` (commit 40d7821), `{name:
{root, annotation, repeat_time, data_augment, max_dynamic_patch}}`. What is wrong there is an error
here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from er_bench.core.errors import DataError
from er_bench.core.limits import ROW_BYTES
from er_bench.core.message import Message
from er_bench.core.plain_text import decoded
from er_bench.data.chat_records import read_chat
from er_bench.data.rows import Row
from er_bench.data.text_files import parse_json, read_json

MOST_REPEATS, MOST_TILES = 100_000, 1024
META_FIELDS = {"root", "annotation", "repeat_time", "data_augment", "max_dynamic_patch", "length"}


@dataclass(frozen=True, slots=True)
class Record:
    """One conversation, and the line that it stands in."""

    messages: tuple[Message, ...]
    row: Row

    def error(self, problem: str, field: str) -> DataError:
        """An error about this record, naming file and line."""
        return self.row.error(problem, field)


@dataclass(frozen=True, slots=True)
class Source:
    """One data set of the mixture: an annotation file and how often it is seen."""

    name: str
    root: Path
    annotation: Path
    repeat_time: float
    degrade: bool
    """Whether each piece of a picture goes through a random JPEG quality."""
    max_tiles: int | None
    offsets: NDArray[np.int64]
    """Byte offset of every line that is not blank."""
    lines: NDArray[np.int64]
    """One-based number of each of these lines."""
    sha256: str
    """Of the annotation file."""

    def entries(self) -> NDArray[np.int64]:
        """Records of one pass: the first `int(n r)` for r < 1, else all of them r times over."""
        n, repeat = len(self.offsets), self.repeat_time
        if repeat < 1:
            return np.arange(int(n * repeat))
        return np.tile(np.arange(n), int(repeat))

    def record(self, index: int) -> Record:
        """Read one record. Raises DataError naming file and line."""
        with self.annotation.open("rb") as file:
            file.seek(int(self.offsets[index]))
            line = file.readline(ROW_BYTES.most + 1)
        number = int(self.lines[index])
        try:
            if len(line) > ROW_BYTES.most:
                raise ValueError(ROW_BYTES.passed(len(line)))
            fields = parse_json(decoded(line, number), number)
        except ValueError as error:
            raise DataError(f"not JSON: {error}", file=self.annotation, row=number) from error
        if not isinstance(fields, dict):
            raise DataError("expected a JSON object", file=self.annotation, row=number)
        row = Row(fields, self.annotation, number)
        return Record(read_chat(row, self.root), row)


def read_meta(file: Path) -> list[Source]:
    """The data sets that a meta JSON lists. Raises DataError naming the file and the data set.

    A relative `root` or `annotation` is taken from the meta file's folder.
    """
    meta = read_json(file)
    if not isinstance(meta, dict) or not meta:
        raise DataError("expected an object of data sets", file=file)
    return [_source(name, entry, file) for name, entry in meta.items()]


def _source(name: str, entry: object, file: Path) -> Source:
    def wrong(problem: str, field: str) -> DataError:
        told, row, place = (f"{' '.join(text.split()):.300}" for text in (problem, name, field))
        return DataError(told, file=file, row=row, field=place)

    if not isinstance(entry, dict):
        raise wrong("expected an object", name)
    if unknown := sorted(set(entry) - META_FIELDS):
        raise wrong(f"unknown; known are {', '.join(sorted(META_FIELDS))}", unknown[0])
    for field in ("root", "annotation"):
        if not isinstance(entry.get(field), str):
            raise wrong("expected a path", field)
    repeat = entry.get("repeat_time", 1)
    number = isinstance(repeat, (int, float)) and not isinstance(repeat, bool)
    if not number or not 0 < repeat <= MOST_REPEATS:
        raise wrong(f"expected a number above 0 and up to {MOST_REPEATS:,}", "repeat_time")
    if repeat > 1 and repeat != int(repeat):
        raise wrong("above 1 it must be a whole number", "repeat_time")
    tiles = entry.get("max_dynamic_patch")
    whole = isinstance(tiles, int) and not isinstance(tiles, bool)
    if tiles is not None and not (whole and 1 <= tiles <= MOST_TILES):
        raise wrong(f"expected a whole number from 1 to {MOST_TILES:,}", "max_dynamic_patch")
    if not isinstance(entry.get("data_augment", False), bool):
        raise wrong("expected true or false", "data_augment")
    annotation = file.parent / entry["annotation"]
    if not isfile(annotation) or annotation.suffix != ".jsonl":
        raise wrong(f"there is no .jsonl file {annotation!s:.200}", "annotation")
    offsets, lines, sha256 = line_offsets(annotation)
    degrade = entry.get("data_augment", False)
    root = file.parent / entry["root"]
    return Source(name, root, annotation, float(repeat), degrade, tiles, offsets, lines, sha256)


def line_offsets(file: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
    """Byte offset and one-based number of each line that is not blank; SHA-256 of the file."""
    offsets, numbers, offset, digest = [], [], 0, hashlib.sha256()
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            digest.update(line)
            if line.strip():
                offsets.append(offset)
                numbers.append(number)
            offset += len(line)
    return np.array(offsets, np.int64), np.array(numbers, np.int64), digest.hexdigest()
