"""What a model returned for one prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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

    def to_json(self) -> dict[str, Any]:
        """The completion as it is kept in `records.jsonl`."""
        return {
            "text": self.text,
            "finish_reason": self.finish_reason,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "latency_s": round(self.latency_s, 4),
            "image_sizes": [list(s) for s in self.image_sizes],
            "constrained": self.constrained,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Completion:
        """The completion that `to_json` wrote."""
        sizes = tuple((int(w), int(h)) for w, h in data.get("image_sizes", ()))
        return cls(**{**data, "image_sizes": sizes})
