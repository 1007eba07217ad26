"""A message of a conversation: the one type for prompts, training records and made-up data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from er_bench.core.sample import Image, Part, Text, Video

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation: text, images and videos in order."""

    role: Role
    parts: tuple[Part, ...]


def user(*parts: Part | str) -> Message:
    """A user message; plain strings become text parts."""
    return Message("user", tuple(Text(p) if isinstance(p, str) else p for p in parts))


def media_parts(messages: Iterable[Message]) -> Iterator[Image | Video]:
    """The images and videos of a conversation, in order."""
    for message in messages:
        yield from (part for part in message.parts if not isinstance(part, Text))
