"""Lines of a file found by key, at sixteen bytes a line: keys stay in the file."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator


def key_hash(*parts: object) -> int:
    """Sixty-four bits that stand for a key; the same in every process."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


class LineIndex:
    """Byte offsets of lines by the hash of their keys.

    Two keys may share a hash, so that whoever reads a line compares the key in it.
    """

    def __init__(self, found: Iterator[tuple[int, int]]) -> None:
        """Take `(hash, offset)` of every line."""
        hashes, offsets = array("Q"), array("Q")
        for hashed, offset in found:
            hashes.append(hashed)
            offsets.append(offset)
        order = sorted(range(len(hashes)), key=hashes.__getitem__)
        self._hashes = array("Q", (hashes[k] for k in order))
        self._offsets = array("Q", (offsets[k] for k in order))

    def __len__(self) -> int:
        return len(self._hashes)

    def offsets(self, hashed: int) -> Iterator[int]:
        """The offsets of the lines whose key has this hash, in file order."""
        at = bisect_left(self._hashes, hashed)
        while at < len(self._hashes) and self._hashes[at] == hashed:
            yield self._offsets[at]
            at += 1

    def repeated(self) -> Iterator[int]:
        """The hashes that stand for more than one line."""
        for at in range(1, len(self._hashes)):
            if self._hashes[at] == self._hashes[at - 1]:
                yield self._hashes[at]
