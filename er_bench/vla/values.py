"""Values as msgpack with arrays and pictures, as vla-eval and openpi spell them; checked, bounded.

vla-eval 0.8.0 (`protocol/numpy_codec.py`, `protocol/image_codec.py`) writes an array as a map with
the key `__ndarray__`, and a picture also as one with `__image__`: raw, PNG or JPEG. openpi
(`openpi_client/msgpack_numpy.py`, openpi-client 0.1.2) writes the same keys as bytes, and numpy's
scalars under `__npgeneric__`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from er_bench.core.array import Array
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

    Raises ValueError for bytes that are no msgpack, nested or grown beyond the limits, or hold what
    is no array.
    """
    read = _Reading(spelling)
    try:
        value = msgpack.unpackb(
            content,
            object_hook=read.a_map,
            list_hook=read.a_list,
            max_array_len=MAX_ENTRIES,
            max_map_len=MAX_ENTRIES,
        )
        check_depth(value)
    except msgpack.exceptions.OutOfData as error:
        raise ValueError("cut off") from error
    except (msgpack.exceptions.UnpackException, ValueError, RecursionError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return value


@dataclass(slots=True)
class _Reading:
    spelling: Spelling
    n_containers: int = 0

    def a_list(self, found: list[Any]) -> list[Any]:
        self._count()
        return found

    def a_map(self, found: dict[Any, Any]) -> Any:
        self._count()
        key = self.spelling.key
        if key("__ndarray__") in found:
            return _array(*(found.get(key(name)) for name in ("data", "dtype", "shape")))
        if key("__npgeneric__") in found:
            return found.get(key("data"))
        if key("__image__") in found:
            return _picture({name: found.get(key(name)) for name in ("format", "data", "shape")})
        return found

    def _count(self) -> None:
        self.n_containers += 1
        if self.n_containers > MAX_CONTAINERS:
            raise ValueError(f"more than {MAX_CONTAINERS} lists and maps")


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


def _picture(fields: Mapping[str, object]) -> Array:
    content, shape = fields["data"], _shape(fields["shape"])
    if fields["format"] == "raw":
        return _array(content, "|u1", list(shape))
    if fields["format"] not in ("png", "jpeg") or not isinstance(content, bytes):
        raise ValueError(f"a picture as {fields['format']!r:.40}: neither raw, png nor jpeg")
    rgb = _decoded(content)
    if rgb.shape[:2] != shape[:2] or len(shape) != 3:
        raise ValueError(f"a picture of shape {shape} that is {rgb.shape}")
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
