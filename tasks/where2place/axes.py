"""The image with labelled axes that the box protocol shows."""

from __future__ import annotations

import io
from dataclasses import dataclass

import PIL.Image
import PIL.ImageDraw

from er_bench.core.sample import Blob, MediaRef
from er_bench.data.media import image

MARGIN_PX = 36
STEP_PX = 100


@dataclass(frozen=True, slots=True)
class WithAxes:
    """An image on white, with ticks every 100 px that are numbered in the image's own pixels.

    RoboPoint `gpt_vqa.py`, commit adbee8d, draws it with matplotlib (major locator 100); this is
    drawn without it, at the image's own scale.
    """

    source: Blob

    @property
    def name(self) -> str:
        """The image's name, with a mark."""
        return f"{self.source.name} with axes"

    @property
    def ref(self) -> MediaRef | None:
        """The image's own place."""
        return self.source.ref

    def missing(self) -> bool:
        """Whether the image is missing."""
        return self.source.missing()

    def read(self) -> bytes:
        """JPEG bytes. Raises DataError when the image cannot be read."""
        shown = image(self.source)
        page = PIL.Image.new(
            "RGB", (shown.width + 2 * MARGIN_PX, shown.height + 2 * MARGIN_PX), "white"
        )
        page.paste(shown, (MARGIN_PX, MARGIN_PX))
        pen = PIL.ImageDraw.Draw(page)
        bottom = MARGIN_PX + shown.height
        for x in range(0, shown.width, STEP_PX):
            pen.line((MARGIN_PX + x, bottom, MARGIN_PX + x, bottom + 5), "black")
            pen.text((MARGIN_PX + x, bottom + 8), str(x), "black", anchor="ma")
        for y in range(0, shown.height, STEP_PX):
            pen.line((MARGIN_PX - 5, MARGIN_PX + y, MARGIN_PX, MARGIN_PX + y), "black")
            pen.text((MARGIN_PX - 8, MARGIN_PX + y), str(y), "black", anchor="rm")
        encoded = io.BytesIO()
        page.save(encoded, "JPEG", quality=90)
        return encoded.getvalue()
