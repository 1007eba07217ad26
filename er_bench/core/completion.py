"""What a model returned for one prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass

from er_bench.core.geometry import Size


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model returned for one prompt."""

    text: str
    finish_reason: str | None = None
    """`stop`, `length`, or the backend's own word; None when it does not say."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    latency_s: float = 0.0
    image_sizes: tuple[Size, ...] = ()
    """`(width, height)` of each image as sent, after any resize; the frame of PIXEL_SENT."""
    constrained: bool = False
    """Whether decoding was held to the prompt's JSON schema."""


def well_formed(text: str) -> str:
    """A text that a file can hold: half a surrogate pair becomes U+FFFD.

    JSON servers send one where an answer was cut inside a character.
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
