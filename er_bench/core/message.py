"""A message of a conversation: the one type for prompts, training records and made-up data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from er_bench.core.sample import Part, Text

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]


def user(*parts: Part | str) -> Message:
    """A user message; plain strings become text parts."""
    return Message("user", tuple(Text(p) if isinstance(p, str) else p for p in parts))
