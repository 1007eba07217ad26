"""Training records: chat JSON lines named by a meta JSON, read by byte offset.

The meta JSON is that of OpenGVLab/Vlaser `internvl_chat_finetune.py` (commit 40d7821), `{name:
{root, annotation, repeat_time, data_augment, max_dynamic_patch, length}}`; `unread` is er-bench's
own. What is wrong there is an error here.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from er_bench.core.errors import DataError
from er_bench.core.limits import PASS_SAMPLES, ROW_BYTES
from er_bench.core.message import Message
from er_bench.core.plain_text import decoded
from er_bench.data.chat_records import READ, read_chat
from er_bench.data.rows import Row
from er_bench.data.text_files import parse_json, read_json

META_FIELDS = (
    *("root", "annotation", "repeat_time", "data_augment", "max_dynamic_patch", "length"),
    "unread",
)
MOST_TILES = 1000
"""More than any model takes: tables of grids grow with its square."""


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
    unread: tuple[str, ...]
    """Fields that its records may have although nothing reads them."""
    offsets: NDArray[np.int64]
    """Byte offset of every line that is not blank."""
    lines: NDArray[np.int64]
    """One-based number of each of these lines."""
    digest: str
    """SHA-256 of the annotation file."""

    def entries(self) -> NDArray[np.int64]:
        """Records of one pass: the first `int(n r)` for r < 1, else all of them r times over."""
        n, repeat = len(self.offsets), self.repeat_time
        if repeat < 1:
            return np.arange(int(n * repeat))
        return np.tile(np.arange(n), int(repeat))

    def record(self, index: int) -> Record:
        """Read one record. Raises DataError naming file and line."""
        number = int(self.lines[index])
        try:
            with self.annotation.open("rb") as file:
                file.seek(int(self.offsets[index]))
                line = file.readline(ROW_BYTES.most + 1)
            fields = parse_json(decoded(line, number), number)
        except OSError as error:
            raise _unreadable(self.annotation, error) from error
        except ValueError as error:
            raise DataError(f"not JSON: {error}", file=self.annotation, row=number) from error
        if not isinstance(fields, dict):
            raise DataError("expected a JSON object", file=self.annotation, row=number)
        row = Row(fields, self.annotation, number)
        return Record(read_chat(row, self.root, self.unread), row)


def _unreadable(file: Path, error: OSError) -> DataError:
    return DataError(f"cannot read it: {error.strerror}", file=file)


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
        return DataError(problem, file=file, row=f"{name:.80}", field=f"{field:.80}")

    if not isinstance(entry, dict):
        raise wrong("expected an object", name)
    if unknown := sorted(set(entry) - set(META_FIELDS)):
        near = get_close_matches(unknown[0].casefold(), META_FIELDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(META_FIELDS)}"
        raise wrong(f"unknown; {hint}", unknown[0])
    for field in ("root", "annotation"):
        if not isinstance(entry.get(field), str) or "\0" in entry[field]:
            raise wrong("expected a path", field)
    repeat = entry.get("repeat_time", 1)
    if not _is_number(repeat) or not 0 < repeat < 2**31:
        raise wrong("expected a number above 0", "repeat_time")
    if repeat > 1 and repeat != int(repeat):
        raise wrong("above 1 it must be a whole number", "repeat_time")
    tiles = entry.get("max_dynamic_patch")
    if tiles is not None and (not _is_number(tiles) or tiles not in range(1, MOST_TILES + 1)):
        raise wrong(f"expected a whole number from 1 to {MOST_TILES}", "max_dynamic_patch")
    if not isinstance(entry.get("data_augment", False), bool):
        raise wrong("expected true or false", "data_augment")
    unread = entry.get("unread", [])
    if not isinstance(unread, list) or not all(isinstance(field, str) for field in unread):
        raise wrong("expected a list of names of fields", "unread")
    if read := [field for field in unread if field in READ]:
        raise wrong(f"{read[0]} is a field that is read", "unread")
    annotation = file.parent / entry["annotation"]
    if annotation.suffix != ".jsonl" or not os.path.isfile(annotation):
        raise wrong(f"there is no .jsonl file {str(annotation)[-200:]}", "annotation")
    offsets, lines, digest = look_through(annotation)
    if (samples := int(len(offsets) * repeat)) > PASS_SAMPLES.most:
        raise wrong(PASS_SAMPLES.passed(samples), "repeat_time")
    root, degrade = file.parent / entry["root"], entry.get("data_augment", False)
    return Source(
        name, root, annotation, float(repeat), degrade, tiles, tuple(unread), offsets, lines, digest
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def look_through(file: Path) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
    """Byte offset and one-based number of each line that is not blank; the file's SHA-256.

    Raises DataError for a line over the limit.
    """
    offsets, numbers, offset, number = [], [], 0, 0
    most, digest = ROW_BYTES.most, hashlib.sha256()
    try:
        with file.open("rb") as lines:
            while line := lines.readline(most + 1):
                number += 1
                if len(line) > most:
                    raise DataError(ROW_BYTES.passed(len(line)), file=file, row=number)
                digest.update(line)
                if line.strip():
                    offsets.append(offset)
                    numbers.append(number)
                offset += len(line)
    except OSError as error:
        raise _unreadable(file, error) from error
    return np.array(offsets, np.int64), np.array(numbers, np.int64), digest.hexdigest()
