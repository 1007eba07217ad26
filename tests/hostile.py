"""Values and bytes that nobody should send, from a seed: what every boundary is tried with."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

DEEP: list[Any] = []
for _ in range(300):
    DEEP = [DEEP]

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 2**31, 2**63, 10**30, 10**400, -(10**400)),
    *(0.0, 0.5, -2.5, 1e300, 1e-300, float("nan"), float("inf"), float("-inf")),
    *("", " ", "A", "E", "0", "-1", "nan", "1e999", "true", "none", "\ud83d", "\udfff", "a\0b"),
    *("\x1b[31m\n", "\u2028", "x" * 300, "x" * 5000, "a/" * 3000, "iVBORw0KGgo" * 90, "données"),
    *(".", "..", "../../etc/passwd", "/etc/passwd", "~", "images", "a.png/b", "data:image/png,x"),
    *([], [1], [[1]], [None], ["a", 1], [True], [1.5, "x"], [[1, 2], [3]], [{}], ["../x"], DEEP),
    *({}, {"a": 1}, {"": None}, {"bytes": None, "path": None}, {"bytes": "x"}, {"path": 3}),
    *({"path": "../x"}, {"bytes": None, "path": "x" * 300}, {"name": "pick", "params": []}),
)
"""A value of every type, and some just beside a right one; also what JSON itself cannot spell."""

LINES = (
    "", "{", "[", "null", "true", "[" * 3000 + "]" * 3000, "[" * 100_000, '{"a":' * 500,
    '"\\ud800"',
    "9" * 5000, "NaN", "<!doctype html>", "version https://git-lfs.github.com/spec/v1\n", "{}",
    "[]", "[1]", "[null]", "[[]]", '{"a": 1}', "'a'", "\0", "\ufeff", "\ufeff[]", "\r\n\r\n",
    "a,b\n1,2,3",
)  # fmt: skip
"""Contents of a file that is something else than it should be."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside."""
    if path:
        yield path
    if isinstance(value, (dict, list)):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


def spoilt(rng: random.Random, value: Any) -> Any:
    """A copy with one to three values inside replaced, gone, renamed or wrapped."""
    changed = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = list(places(changed))
        if not found:
            return rng.choice(ODD)
        *way, last = rng.choice(found)
        holder = changed
        for key in way:
            holder = holder[key]
        what = rng.random()
        if what < 0.1:
            del holder[last]
        elif what < 0.2 and isinstance(holder, dict):
            holder[rng.choice((f"{last}s", str(last).title(), f"{last}_path", "", "a\nb"))] = (
                holder.pop(last)
            )
        elif what < 0.25:
            holder[last] = [holder[last]]
        else:
            holder[last] = copy.deepcopy(rng.choice(ODD))
    return changed


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Bytes cut, changed in places, doubled, or in another encoding."""
    cut = rng.randrange(len(content) + 1)
    what = rng.randrange(6)
    if what == 0:
        return content[:cut]
    if what == 1:
        return content[cut:]
    if what == 2:
        return content[:cut] + rng.randbytes(rng.choice((1, 4, 100))) + content[cut:]
    if what == 3:
        encoding = rng.choice(("utf-16", "utf-16-le", "utf-8-sig", "utf-32"))
        return content.decode("latin-1").encode(encoding)
    if what == 4:
        return rng.choice(LINES).encode("utf-8", "surrogatepass")
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 8, 64)) if content else 0):
        changed[rng.randrange(len(changed))] = rng.choice((rng.randrange(256), 0, 255))
    return bytes(changed)
