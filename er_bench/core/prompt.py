"""A prompt: messages, what is expected back, and decoding limits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

from pydantic import JsonValue

from er_bench.core.message import Message
from er_bench.core.sample import Image, Part, Text, Video


class Expect(StrEnum):
    """The kind of value that a prompt asks for."""

    LETTER = "letter"
    NUMBER = "number"
    POINTS = "points"
    BOXES = "boxes"
    PLAN = "plan"
    TEXT = "text"


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
        told = {n: v for n in _DECODING if (v := getattr(self, n)) is not None}
        return replace(other, **told)

    def to_dict(self) -> dict[str, JsonValue]:
        """Every setting by name, open ones as None."""
        return {name: getattr(self, name) for name in _DECODING}


_DECODING = tuple(setting.name for setting in fields(Decoding))


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
    json_schema: Mapping[str, JsonValue] | None = None

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


def _part_identity(part: Part) -> list[JsonValue]:
    match part:
        case Text(text):
            return ["text", text]
        case Image(blob):
            return ["image", blob.name.rsplit("/", 1)[-1]]
        case Video():
            span = [part.start_frame, part.stop_frame, part.n_frames, part.sampling, part.label]
            return ["video", part.path.name, *span, *(part.clip_s or ())]
