"""What reaches the terminal: text, never control characters that somebody else wrote."""

from __future__ import annotations

import json
import re
import sys

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but tab and line end, marks that turn the direction, halves of pairs."""


def visible(text: str) -> str:
    """A text with its control characters written out as their codes."""
    return _UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def show(*parts: object) -> None:
    """Print to standard output, as `print` does, what may hold text of servers and files."""
    print(visible(" ".join(map(str, parts))))


def show_json(value: object) -> None:
    """Print JSON; what a terminal may not have is escaped as JSON escapes it."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    print(_UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text))


def tell(line: object) -> None:
    """Print a line to standard error."""
    print(visible(str(line)), file=sys.stderr, flush=True)
