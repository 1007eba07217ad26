"""Words that announce a value, and where a text has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cue:
    """A pattern, and what lets it be looked for in plain (ASCII) text without trying every place.

    `begins` are words in small letters, with one of which every match there begins; without any,
    what fits a `sign` somewhere may have matches. With neither, plain text has none.
    """

    pattern: re.Pattern[str]
    begins: tuple[str, ...] = ()
    sign: re.Pattern[str] | None = None
    """Searched in the text in small letters."""

    def finditer(self, text: str, low: str | None) -> Iterator[re.Match[str]]:
        """The matches of the pattern; `low` is the text in small letters where it is plain."""
        if low is None or (self.sign is not None and self.sign.search(low)):
            yield from self.pattern.finditer(text)
            return
        end = 0
        for start in sorted(start for word in self.begins for start in _places(word, low)):
            if start >= end and (match := self.pattern.match(text, start)):
                end = match.end()
                yield match


def plain(text: str) -> str | None:
    """A text in small letters if it is plain, for `Cue.finditer`."""
    return text.lower() if text.isascii() else None


def _places(word: str, low: str) -> Iterator[int]:
    at = low.find(word)
    while at >= 0:
        yield at
        at = low.find(word, at + 1)
