"""The masks of one task, the ones used last kept, and the places in them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from er_bench.core.errors import DataError
from er_bench.core.geometry import Mask, Point, Size, inner_point
from er_bench.core.sample import Blob, MediaRef
from er_bench.data.byte_cache import ByteCache
from er_bench.data.media import image_size, mask_over, mask_values

CACHE_BYTES = 256 * 2**20
Source = Path | Blob
"""A mask's file."""


class Masks:
    """Decoded masks, so that many answers to one row decode its mask once."""

    def __init__(self) -> None:
        self._masks: ByteCache[NDArray[np.generic]] = ByteCache(CACHE_BYTES, lambda m: m.nbytes)
        self._sizes: dict[str, Size] = {}

    def over(self, source: Source, threshold: int) -> Mask:
        """The pixels above a threshold in any channel, `(H, W)` bool. Raises DataError."""
        return self.made((_name(source), threshold), lambda: mask_over(source, threshold))

    def values(self, source: Source) -> NDArray[np.uint8]:
        """The first channel as stored, `(H, W)` uint8. Raises DataError."""
        key = (_name(source), None)
        return self._masks.get(key, lambda: _first_channel(mask_values(source))).astype(
            np.uint8, copy=False
        )

    def made(self, key: Hashable, make: Callable[[], Mask]) -> Mask:
        """A mask that is made and not read, `(H, W)` bool."""
        return self._masks.get(key, make).astype(np.bool_, copy=False)

    def size_wh(self, source: Source) -> Size:
        """`(width, height)` of a picture, from its header, read once. Raises DataError."""
        if (name := _name(source)) not in self._sizes:
            self._sizes[name] = image_size(source)
        return self._sizes[name]


def check_size(mask: Source, image: Blob, where: str) -> None:
    """Refuse a mask of another size than its image. Raises DataError."""
    (w, h), (mask_w, mask_h) = image_size(image), image_size(mask)
    if (w, h) != (mask_w, mask_h):
        raise DataError(
            f"the mask is {mask_w}x{mask_h}, its image {w}x{h}",
            file=_name(mask),
            row=where,
            field="mask",
        )


def mask_ref(source: Source) -> MediaRef | None:
    """Where a mask can be found again."""
    return MediaRef(str(source)) if isinstance(source, Path) else source.ref


def deepest(mask_hw: Mask, where: str) -> Point:
    """The point deepest in a mask. Raises DataError when the mask is empty."""
    if not mask_hw.any():
        raise DataError("the mask is empty", row=where, field="mask")
    return inner_point(mask_hw)


def _name(source: Source) -> str:
    return str(source) if isinstance(source, Path) else source.name


def _first_channel(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return values if values.ndim == 2 else values[..., 0]
