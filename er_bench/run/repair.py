"""A damaged run folder made whole: lines that cannot be used are set aside, the others stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from er_bench.core.manifest import Manifest
from er_bench.core.record import Key
from er_bench.data.run_folder import (
    MEDIA,
    PROMPTS,
    RECORDS,
    TEXTS,
    UNREADABLE,
    StoredMedium,
    StoredPrompt,
    StoredText,
    read_manifest,
    record_of,
    whole_lines,
)
from er_bench.run.store import lock


def repair(folder: Path, ids: Mapping[str, Collection[str]] | None = None) -> dict[Path, int]:
    """Move unusable lines of a run folder into files `*.damaged.jsonl` beside them.

    `ids` are the samples of each task, where the rows are at hand. Returns how many lines went
    into which file. Raises StoreError for what is no run folder, or one that is written to.
    """
    manifest = read_manifest(folder)
    held = lock(folder)
    try:
        tests: dict[str, Callable[[bytes], object]] = {
            TEXTS: StoredText.model_validate_json,
            PROMPTS: StoredPrompt.model_validate_json,
            MEDIA: StoredMedium.model_validate_json,
            RECORDS: _Places(manifest, ids or {}).check,
        }
        moved = {}
        for name, test in tests.items():
            aside = folder / f"{Path(name).stem}.damaged.jsonl"
            if count := _sort_out(folder / name, aside, test):
                moved[aside] = count
        return moved
    finally:
        held.close()


class _Places:
    """What a run has a record of, each once."""

    def __init__(self, manifest: Manifest, ids: Mapping[str, Collection[str]]) -> None:
        self._tasks, self._repeats = set(manifest.identity.tasks), manifest.identity.repeats
        self._ids, self._seen = ids, set[Key]()

    def check(self, line: bytes) -> None:
        """Raise ValueError, or another of UNREADABLE, for a record without a place."""
        record = record_of(line)
        fits = record.task in self._tasks and record.repeat < self._repeats
        known = record.task not in self._ids or record.id in self._ids[record.task]
        if not fits or not known or record.key in self._seen:
            raise ValueError("no place for it")
        self._seen.add(record.key)


def _sort_out(path: Path, aside: Path, test: Callable[[bytes], object]) -> int:
    """Append the lines that fail a test to a file, then write the file without them."""
    bad = {number for number, line in enumerate(whole_lines(path)) if not _passes(test, line)}
    if not bad:
        return 0
    _write(aside, "ab", (line for n, line in enumerate(whole_lines(path)) if n in bad))
    part = path.with_suffix(".part")
    _write(part, "wb", (line for n, line in enumerate(whole_lines(path)) if n not in bad))
    part.replace(path)
    return len(bad)


def _passes(test: Callable[[bytes], object], line: bytes) -> bool:
    try:
        test(line)
    except UNREADABLE:
        return False
    return True


def _write(path: Path, mode: str, lines: Iterator[bytes]) -> None:
    with path.open(mode) as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
