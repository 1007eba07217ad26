"""Stored answers in place of a model: how a run, or answers made elsewhere, are scored again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect
from er_bench.core.errors import DataError, ModelError
from er_bench.core.model import Model
from er_bench.core.outcome import OutcomeStatus
from er_bench.core.prompt import Prompt
from er_bench.core.sample import Sample
from er_bench.core.task import Task
from er_bench.run.line_index import LineIndex, key_hash
from er_bench.run.store import Key, key

Line = dict[str, Any]


class StoredAnswers(Model):
    """Answers from a JSON-lines file, read when they are asked for; an index of lines is kept."""

    def __init__(
        self,
        file: Path,
        lines: LineIndex,
        key_of: Callable[[Line], Key],
        completions: Callable[[Line], list[Completion]],
        identity: dict[str, Any],
        dialect: AnyDialect,
    ) -> None:
        self.name, self.dialect = identity["name"], dialect
        self._lines, self._key_of, self._completions = lines, key_of, completions
        self._identity, self._file = identity, file.open("rb")

    def __len__(self) -> int:
        return len(self._lines)

    def identity(self) -> dict[str, Any]:
        """The identity of the model that gave the answers."""
        return dict(self._identity)

    async def ask(self, prompt: Prompt) -> Completion:
        """Refuse: stored answers belong to samples."""
        raise ModelError("stored answers are found by sample, not by prompt")

    def record(self, task: Task, sample: Sample, repeat: int) -> Line | None:
        """The stored line about a sample, or None."""
        wanted = (task.label, sample.id, repeat)
        return next((r for r in self._at(key_hash(*wanted)) if self._key_of(r) == wanted), None)

    def repeated(self) -> Key | None:
        """A key that two lines have, or None."""
        for hashed in self._lines.repeated():
            keys = [self._key_of(r) for r in self._at(hashed)]
            if twice := [k for k in keys if keys.count(k) > 1]:
                return twice[0]
        return None

    def _at(self, hashed: int) -> Iterator[Line]:
        for offset in self._lines.offsets(hashed):
            self._file.seek(offset)
            yield json.loads(self._file.readline())

    def steps(self, task: Task, sample: Sample, repeat: int) -> tuple[dict[str, Any], ...]:
        """The environment's side of a stored episode."""
        record = self.record(task, sample, repeat)
        return tuple((record or {}).get("steps", ()))

    def bind(
        self, task: Task, sample: Sample, repeat: int
    ) -> Callable[[Prompt], Awaitable[Completion]]:
        """Answer with the sample's stored completions, in order."""
        record = self.record(task, sample, repeat)
        stored = iter(self._completions(record) if record else [])

        async def answer(prompt: Prompt) -> Completion:
            completion = next(stored, None)
            if completion is None:
                why = (record or {}).get("error") or "no stored answer"
                raise ModelError(f"{why} (sample {sample.id!r})")
            return completion

        return answer

    async def close(self) -> None:
        """Close the file."""
        self._file.close()


def from_run(folder: Path, manifest: Mapping[str, Any], dialect: AnyDialect) -> StoredAnswers:
    """The completions of a run folder."""
    path = folder / "records.jsonl"
    scored = (
        (key_hash(*key(r)), at) for at, r in _lines(path) if r["status"] == OutcomeStatus.SCORED
    )

    def completions(record: Line) -> list[Completion]:
        return [Completion.from_json(c) for c in record["completions"]]

    identity = {**manifest["identity"]["model"]}
    return StoredAnswers(path, LineIndex(scored), key, completions, identity, dialect)


def from_responses(file: Path, label: str, dialect: AnyDialect) -> StoredAnswers:
    """Answers made elsewhere: JSON lines `{"id", "response", "image_sizes"?}`.

    Raises DataError naming file, line and field.
    """

    def key_of(row: Line) -> Key:
        return label, str(row["id"]), 0

    def completions(row: Line) -> list[Completion]:
        sizes = row.get("image_sizes", [])
        return [Completion.from_json({"text": row["response"], "image_sizes": sizes})]

    def hashed() -> Iterator[tuple[int, int]]:
        for number, (at, row) in enumerate(_lines(file), 1):
            for name, kinds in (("id", (str, int)), ("response", (str,))):
                if not isinstance(row, dict) or not isinstance(row.get(name), kinds):
                    raise DataError(
                        "missing or of the wrong type", file=file, row=number, field=name
                    )
            yield key_hash(*key_of(row)), at

    identity: dict[str, Any] = {
        "name": file.stem,
        "backend": "responses",
        "checkpoint": file.name,
        "revision": None,
        "dialect": dialect.name,
        "decoding": {},
    }
    model = StoredAnswers(file, LineIndex(hashed()), key_of, completions, identity, dialect)
    if twice := model.repeated():
        raise DataError(f"two answers for id {twice[1]!r}", file=file, field="id")
    return model


def answered_ids(file: Path) -> Iterator[str]:
    """The ids that a file of answers is about, in order."""
    return (str(row["id"]) for _, row in _lines(file))


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Byte offset and content of every whole line. Raises DataError naming the line."""
    at = 0
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        yield at, json.loads(line)
                    except ValueError as error:
                        raise DataError(f"not JSON: {error}", file=path, row=number) from error
                at += len(line)
    except OSError as error:
        raise DataError(f"cannot read it: {error.strerror}", file=path) from error
