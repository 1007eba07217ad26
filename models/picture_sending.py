"""Pictures as an endpoint gets them: the file as it is where that can be, never more than it was.

A picture that has to be written anew (it is to be turned, or larger than the endpoint takes) is a
JPEG if it was one, else a PNG, or a JPEG where only that fits.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace

import PIL.Image

from er_bench.core.errors import DataError
from er_bench.core.geometry import PixelGrid, Size
from er_bench.data.media import opened, turned, upright
from er_bench.data.media_look import ends_well

AS_IT_IS = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""Types by Pillow's name. A Multi Picture file is a JPEG with more pictures behind it."""
QUALITIES = (95, 90, 85, 75, 60)
"""Of a JPEG that is written anew, best first."""
RESAMPLING = PIL.Image.Resampling.BICUBIC
SMALLEST = 28
"""Shorter sides show nothing."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An image file for an endpoint."""

    content: bytes
    mime: str
    size_wh: Size
    given_wh: Size
    """The size of the picture that it was made of, upright."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What an endpoint takes of one picture; None: whatever is given."""

    longest_side: int | None = None
    """Pixels."""
    most_bytes: int | None = None
    """Of the file, before base64."""
    grid: PixelGrid | None = None
    """The resize of the server's own processor, done here, so that it finds nothing to do."""

    def holds(self, size_wh: Size, n_bytes: int) -> bool:
        """Whether a picture is within them."""
        most = self.most_bytes
        return self.size(size_wh, 1.0) == size_wh and (most is None or n_bytes <= most)

    def size(self, size_wh: Size, by: float) -> Size:
        """The size of a picture that is sent at a scale, or smaller where a side is too long.

        Raises ValueError for a picture that the grid does not take, or not within that side.
        """
        if self.longest_side is not None:
            by = min(by, self.longest_side / max(size_wh))
        w, h = (max(1, round(side * by)) for side in size_wh)
        if self.grid is None:
            return w, h
        w, h = self.grid.settled((w, h))
        if self.longest_side is not None:
            most = max(
                self.grid.multiple, self.longest_side - self.longest_side % self.grid.multiple
            )
            w, h = self.grid.settled((min(w, most), min(h, most)))
            if max(w, h) > self.longest_side:
                raise ValueError(
                    f"a picture of {size_wh[0]}x{size_wh[1]} has no size within "
                    f"max_image_side={self.longest_side} {self.grid}"
                )
        return w, h


def to_send(content: bytes, name: str, limits: PictureLimits) -> Sent:
    """A picture as it goes out, upright and within the limits. Raises DataError.

    One that is cut off is an error here as on every backend: a JPEG whose file ends as JPEGs end
    counts as whole, as it does before a run (`data.media_look`); any other is decoded.
    """
    with opened(content, name) as found:
        kind, size = found.format or "", found.size
        again = turned(found)
        _size(size, 1.0, name, limits)
        if kind in AS_IT_IS and not again and limits.holds(size, len(content)):
            if kind not in ("JPEG", "MPO") or not ends_well(content, content, len(content)):
                found.draft("RGB", (1, 1))  # a JPEG is then read to its end, and drawn small
                found.load()
            return Sent(content, AS_IT_IS[kind], size, size)
        picture = upright(found).convert("RGB")
        sent = _written(picture, kind not in ("JPEG", "MPO"), len(content), name, limits)
        return replace(sent, given_wh=picture.size)


def frame_to_send(frame: PIL.Image.Image, name: str, limits: PictureLimits) -> Sent:
    """A video's frame as it goes out, a JPEG within the limits. Raises DataError."""
    return replace(_written(frame, False, math.inf, name, limits), given_wh=frame.size)


def _size(size_wh: Size, by: float, name: str, limits: PictureLimits) -> Size:
    """`PictureLimits.size` of a named picture. Raises DataError."""
    try:
        return limits.size(size_wh, by)
    except ValueError as error:
        raise DataError(str(error), file=name) from error


def _written(
    picture: PIL.Image.Image, lossless: bool, n_given: float, name: str, limits: PictureLimits
) -> Sent:
    """A picture, written anew: no side longer and no file larger than the limits."""
    by, size = 1.0, _size(picture.size, 1.0, name, limits)
    while True:
        shown = picture if size == picture.size else picture.resize(size, RESAMPLING)
        larger = size[0] * size[1] > picture.width * picture.height
        if lossless and limits.holds(size, len((sent := png(shown)).content)):
            return sent
        for quality in QUALITIES:
            sent = jpeg(shown, quality)
            fits = limits.holds(size, len(sent.content))
            last = quality == QUALITIES[-1] and limits.most_bytes is None
            if fits and (lossless or larger or len(sent.content) <= n_given or last):
                return sent
        by, before = by * 0.8, size
        size = _size(picture.size, by, name, limits)
        if min(size) < SMALLEST or size == before:
            raise DataError(
                f"it does not fit into max_image_bytes={limits.most_bytes} as anything that shows "
                "something; raise the limit",
                file=name,
            )


def png(picture: PIL.Image.Image) -> Sent:
    """A picture without loss."""
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return Sent(out.getvalue(), "image/png", picture.size, picture.size)


def jpeg(picture: PIL.Image.Image, quality: int = QUALITIES[0]) -> Sent:
    """A picture as JPEG."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Sent(out.getvalue(), "image/jpeg", picture.size, picture.size)
