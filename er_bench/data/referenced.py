"""The bytes that a record's `MediaRef` names: a file, a member of an archive, a field of a row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from er_bench.core.errors import DataError
from er_bench.core.sample import Blob, MediaRef
from er_bench.data.archives import ZipBlob
from er_bench.data.base64_pictures import base64_picture, is_base64_picture
from er_bench.data.rows import FileBlob, Row, image_blobs, one_image, read_rows


class References:
    """The media that the records of one task name.

    Row files are read on from the last row that was asked for: records come in their order.
    """

    def __init__(self, data: Path, run: Path) -> None:
        """Media of the task's data folder, or of the run folder."""
        self._data, self._run = data, run
        self._open: dict[tuple[Path, str], tuple[Row, Iterator[Row]]] = {}

    def blob(self, ref: MediaRef) -> Blob:
        """One medium. Raises DataError when the row is gone, or when the run kept no frames."""
        if not ref.file:
            raise DataError(
                "the run kept no picture of this turn; run with --frames small", file=self._run
            )
        file = (self._data if ref.base == "data" else self._run) / ref.file
        if ref.member:
            return ZipBlob(file, ref.member)
        if ref.row is None:
            return FileBlob(file)
        row = self._row(file, ref.field, ref.row)
        if is_base64_picture(row.get(ref.field)):
            return base64_picture(row, ref.field, str(ref.row))
        if isinstance(row.get(ref.field), (list, tuple)):
            return image_blobs(row, ref.field, str(ref.row), self._data)[ref.item or 0]
        return one_image(row, ref.field, str(ref.row), self._data)

    def _row(self, file: Path, field: str, number: int) -> Row:
        last, rows = self._open.get((file, field), (None, None))
        if last is not None and last.index == number:
            return last
        if last is None or rows is None or last.index > number:
            rows = read_rows(file, [field])
        for row in rows:
            if row.index == number:
                self._open[file, field] = row, rows
                return row
        raise DataError("there is no such row", file=file, row=number)


def referenced(ref: MediaRef, *, data: Path, run: Path) -> Blob:
    """A medium of a record, read from the task's data folder or the run folder.

    Raises DataError when the row is gone, or when the run kept no frames.
    """
    return References(data, run).blob(ref)
