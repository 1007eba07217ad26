"""A conversation as one model family reads it: what its one render function returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation as token ids."""

    ids: tuple[int, ...]
    supervised: tuple[bool, ...]
    """For each id: whether a model is to learn it. All false where the next answer is asked for."""
    slots: tuple[range, ...]
    """Where the tokens of each picture stand in `ids`, in order."""

    def filled(self, placeholder: Sequence[int]) -> list[int]:
        """The ids with the same few in every slot, for an engine that makes pictures' tokens."""
        ids: list[int] = []
        last = 0
        for slot in self.slots:
            ids += (*self.ids[last : slot.start], *placeholder)
            last = slot.stop
        return [*ids, *self.ids[last:]]
