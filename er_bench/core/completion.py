"""What a model returned for one prompt."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from er_bench.core.geometry import Size


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model returned for one prompt."""

    text: str
    finish_reason: str | None = None
    """`stop`, `length`, or the backend's own word; None when it does not say. Of an answer without
    a text: `refusal`, `tool_calls`, `content_filter`, `length` or `empty`."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    latency_s: float = 0.0
    image_sizes: tuple[Size, ...] = ()
    """`(width, height)` of each image as sent, after any resize; the frame of PIXEL_SENT."""
    constrained: bool = False
    """Whether decoding was held to the prompt's JSON schema, and the answer keeps to it."""
    thoughts: str = ""
    """What the model thought, where that comes apart from the text; no part of the answer."""
    instead: str = ""
    """What came in place of a text: the words of a refusal, or tool calls as JSON."""

    def __post_init__(self) -> None:
        """Mend texts that no file can hold; times are kept to a tenth of a millisecond."""
        for name in ("text", "thoughts", "instead", "finish_reason"):
            text = getattr(self, name)
            if text and not text.isascii():
                object.__setattr__(self, name, well_formed(text))
        object.__setattr__(self, "latency_s", round(self.latency_s, 4))

    def mapped(self, change: Callable[[str], str]) -> Completion:
        """The completion with each of its texts changed."""
        return replace(
            self,
            text=change(self.text),
            thoughts=change(self.thoughts),
            instead=change(self.instead),
            finish_reason=self.finish_reason and change(self.finish_reason),
        )


def well_formed(text: str) -> str:
    """A text that a file can hold: half a surrogate pair becomes U+FFFD.

    JSON servers send one where an answer was cut inside a character.
    """
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def one_line(text: str, length: int = 200) -> str:
    """The beginning of a foreign text, fit for one line of a terminal or a record."""
    return "".join(c if c.isprintable() else " " for c in well_formed(text[:length]))
