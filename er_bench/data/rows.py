"""Rows from a local folder: parquet, JSON, JSON lines and TFRecord, with a place for every error.

A benchmark is always read from a folder: the user's (`--data`), the snapshot of a hub data set,
or the bundled mini split. Row files are found at the root or under `data/`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any

from er_bench.core.errors import DataError
from er_bench.core.sample import Blob, MediaRef


@dataclass(frozen=True, slots=True)
class Row:
    """One row and where it stands. The typed getters raise DataError naming file, row, field."""

    fields: Mapping[str, Any]
    file: Path
    index: int
    """Zero-based position in the file."""

    @property
    def where(self) -> str:
        """File and row, for messages."""
        return f"{self.file.name} row {self.index}"

    def error(self, problem: str, field: str) -> DataError:
        """An error about one field of this row."""
        return DataError(problem, file=self.file, row=self.index, field=field)

    def get(self, field: str) -> Any:
        """The field's value, whatever it is; raises when the row has no such field."""
        if field not in self.fields:
            raise self.error("the field is missing", field)
        return self.fields[field]

    def text(self, field: str) -> str:
        """A text field."""
        found = self.get(field)
        if not isinstance(found, str):
            raise self.error(f"expected text, found {_show(found)}", field)
        return found

    def integer(self, field: str) -> int:
        """A whole number."""
        found = self.get(field)
        if isinstance(found, bool) or not isinstance(found, int):
            raise self.error(f"expected a whole number, found {_show(found)}", field)
        return found

    def number(self, field: str) -> float:
        """A finite number."""
        found = self.get(field)
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            raise self.error(f"expected a number, found {_show(found)}", field)
        if not math.isfinite(found):
            raise self.error(f"expected a finite number, found {found}", field)
        return float(found)

    def items(self, field: str) -> Sequence[Any]:
        """A list."""
        found = self.get(field)
        if not isinstance(found, (list, tuple)):
            raise self.error(f"expected a list, found {_show(found)}", field)
        return found


def _show(found: object) -> str:
    text = repr(found)
    return f"{type(found).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


@dataclass(frozen=True, slots=True)
class FileBlob:
    """Bytes in a file."""

    path: Path
    name: str = dataclass_field(init=False, compare=False, repr=False)
    """The path as text."""
    ref: MediaRef = dataclass_field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", str(self.path))
        object.__setattr__(self, "ref", MediaRef(self.name))

    def read(self) -> bytes:
        """The file's bytes. Raises DataError."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read it: {error.strerror}", file=self.path) from error

    def missing(self) -> bool:
        """Whether there is no such file."""
        return not self.path.is_file()


@dataclass(frozen=True, slots=True)
class BytesBlob:
    """Bytes that came with their row."""

    name: str
    content: bytes | None = dataclass_field(repr=False)
    ref: MediaRef | None = None

    def read(self) -> bytes:
        """The bytes. Raises DataError when the row was read without its media."""
        if self.content is None:
            raise DataError("the row was read without its media", file=self.name)
        return self.content

    def missing(self) -> bool:
        """Bytes that came with a row are there."""
        return self.content == b""


def inside(root: Path, relative: str, row: Row, field: str) -> Path:
    """The path `root/relative`, checked to stay inside `root`. Raises DataError.

    Links are not followed: the hub's cache is made of links to files outside a snapshot.
    """
    if os.path.isabs(relative) or os.path.normpath(relative).startswith(".."):
        raise row.error(f"the path {relative!r} leaves the data folder", field)
    return root / relative


def image_blobs(row: Row, field: str, sample_id: str, root: Path) -> list[Blob]:
    """The images of a row: encoded bytes, `{bytes, path}` as the hub stores them, or paths.

    Bytes get the row's id in their name, so that the same row in another file is the same prompt.
    Raises DataError.
    """
    blobs: list[Blob] = []
    for number, item in enumerate(row.items(field), 1):
        name = f"{row.file}/{sample_id} image {number}"
        ref = MediaRef(str(row.file), row=row.index, field=field, item=number - 1)
        if isinstance(item, Mapping) and "bytes" not in item:
            blobs.append(BytesBlob(name, None, ref))
        elif isinstance(content := item["bytes"] if isinstance(item, Mapping) else item, bytes):
            blobs.append(BytesBlob(name, content, ref))
        elif isinstance(item, str):
            blobs.append(FileBlob(inside(root, item, row, field)))
        else:
            raise row.error(f"expected an encoded image, found {_show(item)}", field)
    return blobs


def one_image(row: Row, field: str, sample_id: str, root: Path) -> Blob:
    """The one image in a field: encoded bytes, `{bytes, path}`, or a path. Raises DataError."""
    alone = Row({field: [row.get(field)]}, row.file, row.index)
    return image_blobs(alone, field, sample_id, root)[0]


def find_files(root: Path, *patterns: str) -> list[Path]:
    """Files that match the first pattern with a match, at the root or under `data/`, sorted.

    Raises DataError that lists what was looked for.
    """
    for pattern in patterns:
        for folder in (root, root / "data"):
            found = sorted(p for p in folder.glob(pattern) if p.is_file())
            if found:
                return found
    raise DataError(
        f"found none of {', '.join(patterns)} at the root or under data/; "
        "the task's README shows the layout",
        file=root,
    )


def read_rows(file: Path, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """The rows of one file, one at a time.

    `columns` spares a parquet file its heavy columns: names of columns, or `images.path` for one
    leaf of a nested column. A TFRecord row has a list of values for each feature.
    """
    readers = {
        ".parquet": _parquet_rows,
        ".json": _json_rows,
        ".jsonl": _jsonl_rows,
        ".tfrecord": _tfrecord_rows,
    }
    reader = readers.get(file.suffix)
    if reader is None:
        raise DataError(f"cannot read rows; known are {', '.join(sorted(readers))}", file=file)
    for number, fields in enumerate(reader(file, columns)):
        if not isinstance(fields, Mapping):
            raise DataError(f"expected an object, found {_show(fields)}", file=file, row=number)
        yield Row(fields, file, number)


def _parquet_rows(file: Path, columns: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Pages as they are needed: by default a whole row group of images would be held.
        with pq.ParquetFile(file, pre_buffer=False, buffer_size=2**20) as table:
            wanted = None
            if columns is not None:
                leaves = [table.schema.column(k).path for k in range(len(table.schema))]
                wanted = [leaf for name in columns for leaf in _leaves(leaves, name)]
            for batch in table.iter_batches(batch_size=8, columns=wanted, use_threads=False):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"not a readable parquet file: {error}", file=file) from error


def _leaves(leaves: Sequence[str], name: str) -> list[str]:
    """The leaves of a column; for `column.leaf` that one, or all where there is no such leaf."""
    column, _, wanted = name.partition(".")
    found = [leaf for leaf in leaves if leaf.split(".")[0] == column]
    return [leaf for leaf in found if wanted and leaf.split(".")[-1] == wanted] or found


def _json_rows(file: Path, columns: Sequence[str] | None) -> Iterator[Any]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"not readable JSON: {error}", file=file) from error
    if not isinstance(rows, list):
        raise DataError("expected a JSON list of rows", file=file)
    yield from rows


def _jsonl_rows(file: Path, columns: Sequence[str] | None) -> Iterator[Any]:
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise DataError(f"not JSON: {error}", file=file, row=number) from error


def _tfrecord_rows(file: Path, columns: Sequence[str] | None) -> Iterator[Mapping[str, Any]]:
    from er_bench.data.tfrecord import read_examples

    return read_examples(file)
