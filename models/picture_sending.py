"""Pictures as an endpoint gets them: the file as it is where that can be, never more than it was.

A picture that has to be written anew (it is to be turned, or larger than the endpoint takes) is a
JPEG if it was one, else a PNG, or a JPEG where only that fits.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import PIL.Image

from er_bench.core.errors import DataError
from er_bench.core.geometry import Size
from er_bench.data.media import opened, turned, upright

AS_IT_IS = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""Types by Pillow's name. A Multi Picture file is a JPEG with more pictures behind it."""
QUALITIES = (95, 90, 85, 75, 60)
"""Of a JPEG that is written anew, best first."""
SMALLEST = 28
"""Shorter sides show nothing."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An image file for an endpoint."""

    content: bytes
    mime: str
    size_wh: Size


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What an endpoint takes of one picture; None: whatever is given."""

    longest_side: int | None = None
    """Pixels."""
    most_bytes: int | None = None
    """Of the file, before base64."""

    def holds(self, size_wh: Size, n_bytes: int) -> bool:
        """Whether a picture is within them."""
        side, most = self.longest_side, self.most_bytes
        return (side is None or max(size_wh) <= side) and (most is None or n_bytes <= most)


def to_send(content: bytes, name: str, limits: PictureLimits) -> Sent:
    """A picture as it goes out, upright and within the limits. Raises DataError.

    It is decoded whole, so that one that is cut off is an error here as on every backend.
    """
    with opened(content, name) as found:
        kind, size = found.format or "", found.size
        again = turned(found)
        if kind in AS_IT_IS and not again and limits.holds(size, len(content)):
            found.draft("RGB", (1, 1))  # a JPEG is then read to its end, and drawn small
            found.load()
            return Sent(content, AS_IT_IS[kind], size)
        picture = upright(found).convert("RGB")
    return _written(picture, kind not in ("JPEG", "MPO"), len(content), name, limits)


def _written(
    picture: PIL.Image.Image, lossless: bool, n_given: int, name: str, limits: PictureLimits
) -> Sent:
    """A picture, written anew: no side longer and no file larger than the limits."""
    if limits.longest_side is not None and max(picture.size) > limits.longest_side:
        picture = _shrunk(picture, limits.longest_side / max(picture.size))
    while True:
        if lossless and limits.holds(picture.size, len((sent := png(picture)).content)):
            return sent
        for quality in QUALITIES:
            sent = jpeg(picture, quality)
            fits = limits.holds(picture.size, len(sent.content))
            last = quality == QUALITIES[-1] and limits.most_bytes is None
            if fits and (lossless or len(sent.content) <= n_given or last):
                return sent
        if min(picture.size) < SMALLEST:
            raise DataError(
                f"it does not fit into max_image_bytes={limits.most_bytes} as anything that shows "
                "something; raise the limit",
                file=name,
            )
        picture = _shrunk(picture, 0.8)


def _shrunk(picture: PIL.Image.Image, by: float) -> PIL.Image.Image:
    w, h = (max(1, round(side * by)) for side in picture.size)
    return picture.resize((w, h), PIL.Image.Resampling.LANCZOS)


def png(picture: PIL.Image.Image) -> Sent:
    """A picture without loss."""
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return Sent(out.getvalue(), "image/png", picture.size)


def jpeg(picture: PIL.Image.Image, quality: int = QUALITIES[0]) -> Sent:
    """A picture as JPEG."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Sent(out.getvalue(), "image/jpeg", picture.size)
