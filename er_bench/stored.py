"""Stored answers in place of a model: how a run, or answers made elsewhere, are scored again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from er_bench.dialect import AnyDialect
from er_bench.errors import DataError, ModelError
from er_bench.model import Model
from er_bench.outcome import OutcomeStatus
from er_bench.prompt import Completion, Prompt
from er_bench.sample import Sample
from er_bench.store import Key, key
from er_bench.task import Task


class StoredAnswers(Model):
    """Answers from a JSON-lines file, found by line offset: memory does not grow with texts."""

    def __init__(
        self,
        file: Path,
        offsets: Mapping[Key, int],
        completions: Callable[[dict[str, Any]], list[Completion]],
        identity: dict[str, Any],
        dialect: AnyDialect,
    ) -> None:
        self.name, self.dialect = identity["name"], dialect
        self._offsets, self._completions, self._identity = offsets, completions, identity
        self._file = file.open("rb")

    def identity(self) -> dict[str, Any]:
        """The identity of the model that gave the answers."""
        return dict(self._identity)

    def ids(self) -> set[str]:
        """The samples that have an answer."""
        return {sample_id for _, sample_id, _ in self._offsets}

    async def ask(self, prompt: Prompt) -> Completion:
        """Refuse: stored answers belong to samples."""
        raise ModelError("stored answers are found by sample, not by prompt")

    def record(self, task: Task, sample: Sample, repeat: int) -> dict[str, Any] | None:
        """The stored line about a sample, or None."""
        offset = self._offsets.get((task.label, sample.id, repeat))
        if offset is None:
            return None
        self._file.seek(offset)
        line: dict[str, Any] = json.loads(self._file.readline())
        return line

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
    identity = {**manifest["identity"]["model"]}
    path = folder / "records.jsonl"
    offsets = {key(r): at for at, r in _lines(path) if r["status"] == OutcomeStatus.SCORED}

    def completions(record: dict[str, Any]) -> list[Completion]:
        return [Completion.from_json(c) for c in record["completions"]]

    return StoredAnswers(path, offsets, completions, identity, dialect)


def from_responses(file: Path, label: str, dialect: AnyDialect) -> StoredAnswers:
    """Answers made elsewhere: JSON lines `{"id", "response", "image_sizes"?}`.

    Raises DataError naming file, line and field.
    """
    offsets: dict[Key, int] = {}
    for number, (at, row) in enumerate(_lines(file), 1):
        for name, kinds in (("id", (str, int)), ("response", (str,))):
            if not isinstance(row, dict) or not isinstance(row.get(name), kinds):
                raise DataError("missing or of the wrong type", file=file, row=number, field=name)
        row_key = (label, str(row["id"]), 0)
        if row_key in offsets:
            raise DataError(f"two answers for id {row['id']!r}", file=file, row=number)
        offsets[row_key] = at

    def completions(row: dict[str, Any]) -> list[Completion]:
        sizes = row.get("image_sizes", [])
        return [Completion.from_json({"text": row["response"], "image_sizes": sizes})]

    identity: dict[str, Any] = {
        "name": file.stem,
        "backend": "responses",
        "checkpoint": file.name,
        "revision": None,
        "dialect": dialect.name,
        "decoding": {},
    }
    return StoredAnswers(file, offsets, completions, identity, dialect)


def _lines(path: Path) -> Any:
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
