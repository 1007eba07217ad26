"""A camera's picture: PNG bytes, or the pixels themselves as uint8 `(H, W, 3)`."""

from __future__ import annotations

import io
from typing import TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from er_bench.core.array import Array

Rgb: TypeAlias = NDArray[np.uint8]
"""`rgb_hwc`: `(H, W, 3)` uint8."""
Picture: TypeAlias = bytes | Rgb
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_rgb(array: Array) -> TypeGuard[Rgb]:
    """Whether an array is a picture, and not depth, a mask or a vector."""
    return array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3


def png(picture: Picture) -> bytes:
    """The picture as PNG bytes; pixels are kept exactly."""
    if isinstance(picture, bytes):
        return picture
    import PIL.Image

    out = io.BytesIO()
    PIL.Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


def rgb_hwc(picture: Picture) -> Rgb:
    """The picture's pixels. Raises OSError for bytes that are no picture."""
    if not isinstance(picture, bytes):
        return picture
    import PIL.Image

    with PIL.Image.open(io.BytesIO(picture)) as opened:
        return np.asarray(opened.convert("RGB"))
