"""The text in a file's bytes: UTF-8, with or without a byte order mark, and nothing else."""

from __future__ import annotations

_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""How UTF-16 begins."""


def decoded(content: bytes, line: int = 1) -> str:
    """The text, whose first line has this number in its file.

    Raises ValueError that says which line is not UTF-8 and what the file seems to be.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        seems = "UTF-16" if content[:2] in _MARKS or b"\0" in content[:64] else "Latin-1"
        raise _not_utf8(content, error.start, seems, line) from error
    if "\0" in text:
        raise _not_utf8(content, content.index(b"\0"), "UTF-16", line)
    return text


def _not_utf8(content: bytes, at: int, seems: str, line: int) -> ValueError:
    number = line + content.count(b"\n", 0, at)
    return ValueError(
        f"not UTF-8: line {number} has the byte 0x{content[at]:02x}; the file seems to be {seems}, "
        "save it as UTF-8"
    )


def whole_text(text: str) -> bool:
    """Whether a text can be written: it has no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
