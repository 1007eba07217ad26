"""A prompt: messages, what is expected back, and decoding limits; and what came back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from er_bench.geometry import Size
from er_bench.sample import Image, Part, Text, Video

Role = Literal["system", "user", "assistant"]


class Expect(StrEnum):
    """The kind of value that a prompt asks for."""

    LETTER = "letter"
    NUMBER = "number"
    POINTS = "points"
    BOXES = "boxes"
    PLAN = "plan"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoding limits. None means: nobody has fixed it, the next in line decides."""

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    num_beams: int | None = None
    seed: int | None = None

    def over(self, other: Decoding) -> Decoding:
        """These settings, and `other`'s where these leave one open."""
        return Decoding(
            *(
                a if a is not None else b
                for a, b in zip(self.to_dict().values(), other.to_dict().values(), strict=True)
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Every setting by name, open ones as None."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent to a model for one request.

    `max_tiles` is a benchmark's own limit on image tiles for tiling models (Vlaser's released
    point scripts use 6). `json_schema` asks for constrained decoding where the backend has it.
    """

    messages: tuple[Message, ...]
    expects: Expect
    decoding: Decoding = field(default_factory=Decoding)
    max_tiles: int | None = None
    json_schema: Mapping[str, Any] | None = None

    def parts(self) -> Iterator[Part]:
        """Every part of every message, in order."""
        for message in self.messages:
            yield from message.parts

    def text(self) -> str:
        """The text of every message, media left out."""
        return "\n".join(part.text for part in self.parts() if isinstance(part, Text))

    def sha256(self) -> str:
        """Identity of the prompt: roles, text, media names and limits, not the media's bytes."""
        parts = [[m.role, [_part_identity(p) for p in m.parts]] for m in self.messages]
        body = [parts, str(self.expects), self.decoding.to_dict(), self.max_tiles, self.json_schema]
        return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()


def _part_identity(part: Part) -> list[Any]:
    match part:
        case Text(text):
            return ["text", text]
        case Image(blob):
            return ["image", blob.name.rsplit("/", 1)[-1]]
        case Video():
            span = [part.start_frame, part.stop_frame, part.n_frames, part.sampling, part.label]
            return ["video", part.path.name, *span]


def user(*parts: Part | str) -> Message:
    """A user message; plain strings become text parts."""
    return Message("user", tuple(Text(p) if isinstance(p, str) else p for p in parts))


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
