"""Official texts that are not copied into er-bench: found by path, trusted by SHA-256.

A file is looked for in the data folder (the repository itself, or its package folder), then in
the cache, then fetched once from GitHub at the card's commit.
"""

from __future__ import annotations

import ast
import hashlib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from er_bench.core.cache import cache_root
from er_bench.core.card import OfficialTexts
from er_bench.core.errors import ConfigError, DataError
from er_bench.core.limits import OFFICIAL_BYTES
from er_bench.data.files import write_bytes
from er_bench.data.text_files import read_bytes

Fetch = Callable[[str], bytes]
TIMEOUT_S = 30.0


def fetch(url: str) -> bytes:
    """The bytes behind an https address. Raises OSError."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        content: bytes = answer.read(OFFICIAL_BYTES.most + 1)
    if len(content) > OFFICIAL_BYTES.most:
        raise OSError(OFFICIAL_BYTES.passed(len(content)))
    return content


def official_file(texts: OfficialTexts, path: str, root: Path, get: Fetch = fetch) -> bytes:
    """The bytes of one official file.

    Raises DataError when a copy under `root` is another version, or when there is none and it
    cannot be fetched; the message says what to do.
    """
    if path not in texts.sha256:
        raise ConfigError(f"the card's texts have no SHA-256 of {path}")
    expected = texts.sha256[path]
    copy = _copy(texts, path, root)
    if copy is not None:
        return _checked(read_bytes(copy), expected, copy, texts)
    cached = _cached(expected)
    url = f"https://raw.githubusercontent.com/{texts.repository}/{texts.commit}/{path}"
    try:
        content = _checked(get(url), expected, url, texts)
    except (OSError, urllib.error.URLError) as error:
        raise DataError(
            f"there is no copy of {texts.repository}'s {path}, and it cannot be fetched "
            f"({error}); give a checkout of commit {texts.commit} with --data DIR",
            file=root,
        ) from error
    cached.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(cached, content)
    return content


def absent(texts: OfficialTexts, root: Path) -> list[str]:
    """The official files of which there is no copy yet under `root` or in the cache."""
    return [path for path in texts.sha256 if _copy(texts, path, root) is None]


def _copy(texts: OfficialTexts, path: str, root: Path) -> Path | None:
    """The copy of an official file that counts, or None."""
    places = (*_places(root, path), _cached(texts.sha256[path]))
    return next((place for place in places if place.is_file()), None)


def _cached(sha256: str) -> Path:
    return cache_root() / "official" / sha256


def _places(root: Path, path: str) -> Iterator[Path]:
    """Where a user's copy may have it: the repository, its package folder, or the bare file."""
    _, _, inside_package = path.partition("/")
    for relative in (path, inside_package, path.rsplit("/", 1)[-1]):
        if relative:
            yield root / relative


def _checked(content: bytes, expected: str, where: Path | str, texts: OfficialTexts) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataError(
            f"not the file of {texts.repository} at commit {texts.commit}: "
            f"SHA-256 {found}, expected {expected}; check out that commit",
            file=where,
        )
    return content


def constant(source: bytes, name: str, where: str) -> object:
    """The value of a top-level `name = <literal>` in Python source, without running it.

    Raises DataError when there is no such assignment or its value is no literal.
    """
    try:
        body = ast.parse(source).body
        for node in body:
            if isinstance(node, ast.Assign):
                targets = [t.id for t in node.targets if isinstance(t, ast.Name)]
                if name in targets:
                    value: object = ast.literal_eval(node.value)
                    return value
    except (SyntaxError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{name} cannot be read: {error}", file=where) from error
    raise DataError(f"there is no constant {name}", file=where)
