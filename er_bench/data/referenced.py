"""The bytes that a record's `MediaRef` names: a file, a member of an archive, a field of a row."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from er_bench.core.errors import DataError
from er_bench.core.sample import Blob, MediaRef
from er_bench.data.archives import ZipBlob
from er_bench.data.rows import FileBlob, image_blobs, one_image, read_rows


def referenced(ref: MediaRef, *, data: Path, run: Path) -> Blob:
    """A medium of a record, read from the task's data folder or the run folder.

    Raises DataError when the row is gone, or when the run kept no frames.
    """
    if not ref.file:
        raise DataError("the run kept no picture of this turn; run with --frames small", file=run)
    file = (data if ref.base == "data" else run) / ref.file
    if ref.member:
        return ZipBlob(file, ref.member)
    if ref.row is None:
        return FileBlob(file)
    row = next(islice(read_rows(file, [ref.field]), ref.row, None), None)
    if row is None:
        raise DataError("there is no such row", file=file, row=ref.row)
    if isinstance(row.get(ref.field), (list, tuple)):
        return image_blobs(row, ref.field, str(ref.row), data)[ref.item or 0]
    return one_image(row, ref.field, str(ref.row), data)
