"""Pictures that a row holds as base64 text, for benchmarks that are released so."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from er_bench.core.errors import DataError
from er_bench.core.sample import MediaRef
from er_bench.data.rows import Row

_BEGINNINGS = ("/9j/", "iVBORw0KGgo", "UklGR", "data:image/")
"""JPEG, PNG, WebP; a data URL."""


@dataclass(frozen=True, slots=True)
class Base64Blob:
    """Bytes that came with their row as base64; decoded when they are read."""

    name: str
    text: str = field(repr=False)
    ref: MediaRef

    def read(self) -> bytes:
        """The bytes. Raises DataError when the text is no base64."""
        coded = self.text.partition(",")[2] if self.text.startswith("data:") else self.text
        try:
            return base64.b64decode("".join(coded.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError(f"not base64: {error}", file=self.name, field=self.ref.field) from error

    def missing(self) -> bool:
        """Whether there is no text."""
        return not self.text.strip()


def is_base64_picture(value: object) -> bool:
    """Whether a field's value begins as a picture in base64 does."""
    return isinstance(value, str) and value.startswith(_BEGINNINGS)


def base64_picture(row: Row, column: str, sample_id: str) -> Base64Blob:
    """The picture in a text field. Raises DataError where the field is no text."""
    ref = MediaRef(str(row.file), row=row.index, field=column, item=0)
    return Base64Blob(f"{row.file}/{sample_id} image 1", row.text(column), ref)
