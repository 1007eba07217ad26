"""A run folder: `manifest.json`, append-only `records.jsonl`, one writer at a time.

A record is one line, written whole and flushed, so that a killed process loses at most the line
it was writing; opening the folder again cuts a torn last line off.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from er_bench.core.errors import StoreError
from er_bench.core.outcome import Outcome, OutcomeStatus

Key = tuple[str, str, int]
"""Task, sample id, repeat."""


class RunStore:
    """The only writer of results. Use as a context manager; the lock is held inside it."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any], *, resume: bool) -> None:
        """Open a run folder for writing.

        `manifest["identity"]` is what must be equal for a run to be continued.

        Raises:
            StoreError: another process writes here; the folder holds a run already and `resume`
                is off; or it holds another run, with the differences named.
        """
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder)
        try:
            self._open(manifest, resume)
            self._records: IO[str] = (folder / "records.jsonl").open("a", encoding="utf-8")
        except BaseException:
            self._lock.close()
            raise

    def _open(self, manifest: Mapping[str, Any], resume: bool) -> None:
        path = self.folder / "manifest.json"
        if not path.exists():
            self.done: set[Key] = set()
            write_json(path, manifest)
            return
        if not resume:
            raise StoreError(
                f"{self.folder} holds a run already; continue it with --resume, "
                "or give another folder with --out"
            )
        differences = _differences(read_manifest(self.folder)["identity"], manifest["identity"])
        if differences:
            raise StoreError(
                f"{self.folder} holds another run, it cannot be resumed:\n  "
                + "\n  ".join(differences)
            )
        self.done = _repair(self.folder / "records.jsonl")

    def append(self, outcome: Outcome) -> None:
        """Write one record and flush it."""
        self._records.write(json.dumps(outcome.to_json(), ensure_ascii=False) + "\n")
        self._records.flush()

    def close(self) -> None:
        """Sync the records to disk and let the folder go."""
        self._records.flush()
        os.fsync(self._records.fileno())
        self._records.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


def _lock(folder: Path) -> IO[str]:
    lock = (folder / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreError(
            f"another process is writing to {folder}; wait for it, or give another --out"
        ) from None
    return lock


def write_json(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all."""
    partial = path.with_suffix(path.suffix + ".part")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder. Raises StoreError when there is none."""
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} is not a run folder: {path.name}: {error}") from error
    return manifest


def read_records(folder: Path) -> Iterator[dict[str, Any]]:
    """The records of a run folder, one at a time; a torn last line is left out.

    Raises StoreError that names the line when another line cannot be read.
    """
    path = folder / "records.jsonl"
    if not path.exists():
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line)
            except ValueError as error:
                raise StoreError(f"{path} line {number} is damaged: {error}") from error


def key(record: Mapping[str, Any]) -> Key:
    """What a record is about."""
    return record["task"], record["id"], record["repeat"]


def _repair(path: Path) -> set[Key]:
    """Keep what need not run again: whole lines, and of those no failed request or simulator."""
    again = {OutcomeStatus.MODEL_ERROR, OutcomeStatus.ENV_ERROR}
    done: set[Key] = set()
    kept, dropped = path.with_suffix(".part"), not path.exists()
    with kept.open("w", encoding="utf-8") as out:
        size = 0
        for record in read_records(path.parent):
            line = json.dumps(record, ensure_ascii=False) + "\n"
            size += len(line.encode())
            if record["status"] in again or key(record) in done:
                dropped = True
                continue
            done.add(key(record))
            out.write(line)
        out.flush()
        os.fsync(out.fileno())
    if dropped or size != path.stat().st_size:
        kept.replace(path)
    else:
        kept.unlink()
    return done


def _differences(then: Any, now: Any, path: str = "") -> list[str]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        found = []
        for name in sorted({*then, *now}):
            inner = f"{path}.{name}" if path else name
            found += _differences(then.get(name), now.get(name), inner)
        return found
    return [] if then == now else [f"{path}: it was {_short(then)}, now it is {_short(now)}"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
