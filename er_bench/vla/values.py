"""Values as msgpack with arrays and pictures, as vla-eval and openpi spell them; checked, bounded.

vla-eval 0.8.0 (`protocol/numpy_codec.py`, `protocol/image_codec.py`) writes an array as a map with
the key `__ndarray__`, and a picture also as one with `__image__`: raw, PNG or JPEG. openpi
(`openpi_client/msgpack_numpy.py`, openpi-client 0.1.2) writes the same keys as bytes, and numpy's
scalars under `__npgeneric__`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from er_bench.core.array import Array
from er_bench.core.completion import one_line
from er_bench.core.errors import DataError
from er_bench.core.limits import check_depth
from er_bench.core.picture import MAX_PIXELS, MAX_SIDE, Rgb
from er_bench.data import media
from er_bench.data.rows import BytesBlob

DTYPE = re.compile(r"[<>|]?(b1|[iu][1248]|f[248])")
"""Numpy's name of what an array may hold: truth values, integers, floats; no objects, no texts."""
MAX_DIMENSIONS = 8
MAX_CONTAINERS = 10_000
"""Lists and maps in one message."""
MAX_ENTRIES = 65_536
"""Entries of one list or map; what is longer is sent as an array."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a protocol names the fields of an array."""

    in_bytes: bool
    """Whether the keys are bytes, as openpi's are."""

    def key(self, name: str) -> str | bytes:
        """A field's key on the wire."""
        return name.encode() if self.in_bytes else name


VLA_EVAL, OPENPI = Spelling(in_bytes=False), Spelling(in_bytes=True)


def packed(value: object, spelling: Spelling) -> bytes:
    """A value as msgpack, arrays among it. Raises TypeError for what has no form there."""

    def spelt(found: object) -> object:
        if isinstance(found, np.generic):
            return found.item()
        if not isinstance(found, np.ndarray):
            raise TypeError(f"{type(found).__name__} has no form in msgpack")
        fields = {
            "__ndarray__": True,
            "data": np.ascontiguousarray(found).tobytes(),
            "dtype": found.dtype.str,
            "shape": list(found.shape),
        }
        return {spelling.key(name): field for name, field in fields.items()}

    content: bytes = msgpack.packb(value, default=spelt)
    return content


def unpacked(content: bytes, spelling: Spelling) -> Any:
    """The value that a message spells: plain values, and arrays that may not be changed.

    Raises ValueError as `plain` and `with_arrays` do.
    """
    return with_arrays(plain(content), spelling)


def plain(content: bytes) -> Any:
    """The value that a message spells, arrays still as maps.

    Raises ValueError for bytes that are no msgpack, nested or grown beyond the limits.
    """
    n_containers = 0

    def counted(found: Any) -> Any:
        nonlocal n_containers
        n_containers += 1
        if n_containers > MAX_CONTAINERS:
            raise ValueError(f"more than {MAX_CONTAINERS} lists and maps")
        return found

    try:
        value = msgpack.unpackb(
            content,
            object_hook=counted,
            list_hook=counted,
            max_array_len=MAX_ENTRIES,
            max_map_len=MAX_ENTRIES,
        )
        check_depth(value)
    except (msgpack.exceptions.UnpackException, ValueError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return value


def with_arrays(value: Any, spelling: Spelling, place: str = "") -> Any:
    """A plain value with its arrays and pictures made. Raises ValueError that says which is none.

    The value is nested no deeper than `plain` lets pass.
    """
    if isinstance(value, list):
        return [with_arrays(item, spelling, f"{place}.{n}") for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    key = spelling.key
    fields = [value.get(key(name)) for name in ("data", "dtype", "shape", "format")]
    content, dtype, shape, form = fields
    try:
        if key("__ndarray__") in value:
            return _array(content, dtype, shape)
        if key("__npgeneric__") in value:
            return content
        if key("__image__") in value:
            return _picture(form, content, shape)
    except ValueError as error:
        raise ValueError(f"{one_line(place.strip('.'), 80) or 'the value'}: {error}") from error
    return {name: with_arrays(item, spelling, f"{place}.{name}") for name, item in value.items()}


def _array(content: object, dtype: object, shape: object) -> Array:
    if not isinstance(dtype, str) or not DTYPE.fullmatch(dtype):
        raise ValueError(f"an array of {dtype!r:.40}: neither truth values, integers nor floats")
    sizes = _shape(shape)
    kind = np.dtype(dtype)
    if not isinstance(content, bytes) or len(content) != math.prod(sizes) * kind.itemsize:
        n_bytes = f"{len(content)} bytes" if isinstance(content, bytes) else "what is no bytes"
        raise ValueError(f"an array of {dtype} {sizes} in {n_bytes}")
    if kind == np.bool_ and content.translate(None, b"\0\1"):
        raise ValueError("an array of truth values that are neither 0 nor 1")
    stored: Array = np.frombuffer(content, kind).reshape(sizes)
    return stored


def _shape(shape: object) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, list) else (-1,)
    if len(sizes) > MAX_DIMENSIONS or not all(type(n) is int and 0 <= n < 2**31 for n in sizes):
        raise ValueError(f"{shape!r:.60} is no shape")
    return sizes


def _picture(form: object, content: object, shape: object) -> Array:
    if form == "raw":
        return _array(content, "|u1", shape)
    if form not in ("png", "jpeg") or not isinstance(content, bytes):
        raise ValueError(f"a picture as {form!r:.40}: neither raw, png nor jpeg")
    rgb, sizes = _decoded(content), _shape(shape)
    if rgb.shape[:2] != sizes[:2] or len(sizes) != 3:
        raise ValueError(f"a picture of shape {sizes} that is {rgb.shape}")
    return rgb


def _decoded(content: bytes) -> Rgb:
    """The pixels of a picture's file, uint8 `(H, W, 3)`."""
    blob = BytesBlob("picture", content)
    try:
        width_px, height_px = media.image_size(blob)
        if max(width_px, height_px) > MAX_SIDE or width_px * height_px > MAX_PIXELS:
            raise ValueError(f"a picture of {width_px} x {height_px} pixels")
        return np.asarray(media.image(blob), np.uint8)
    except DataError as error:
        raise ValueError(str(error)) from error
