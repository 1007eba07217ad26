"""Writing files whole or not at all, and names that are safe as files."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

from er_bench.core.errors import StoreError, UsageError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise StoreError that names `path` for what the file system refuses meanwhile."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror or error}; make room or choose another output, "
            "then give the same command again, a run with --resume"
        ) from error


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` that becomes `out` in the end; nothing is left of it otherwise.

    Raises UsageError when `out` holds something, StoreError when it cannot be written.
    """
    with writing(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise UsageError(f"{out} is there already and not empty; name a new folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            yield partial
            partial.chmod(0o777 & ~_umask())
            partial.replace(out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; what goes to a device or a pipe is written into it."""
    with writing(path):
        if path.exists() and not path.is_file():
            with _not_waiting(path) as file:
                file.write(content)
            return
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _not_waiting(path: Path) -> BinaryIO:
    """A device or a pipe opened for writing; a folder, or one that nobody reads, is an OSError."""
    number = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(number, True)
    return os.fdopen(number, "wb")


def write_json(path: Path, content: object, *, indent: int | None = 2) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(content, indent=indent, ensure_ascii=False) + "\n")


def safe_name(text: str, whole: str | None = None) -> str:
    """A text in characters that every file system takes, with a hash that keeps texts apart.

    The hash is of `whole`, where there is more to it than the text.
    """
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", text).strip("._")[-80:]
    return f"{readable}-{hashlib.sha256((whole or text).encode()).hexdigest()[:8]}"
