"""Reading a run folder: its manifest, its records, the words of its prompts. The one reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from er_bench.core.errors import StoreError
from er_bench.core.manifest import Manifest
from er_bench.core.record import SCHEMA_VERSION, Record
from er_bench.data.first_runs import first_manifest, first_record

MANIFEST, RECORDS, PROMPTS, TEXTS = "manifest.json", "records.jsonl", "prompts.jsonl", "texts.jsonl"


class StoredPart(BaseModel):
    """One part of a stored message: its text, the blocks that hold it, or a medium's place."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = None
    blocks: list[str] = Field([], description="The text's blocks in `texts.jsonl`, by SHA-256")
    medium: int | None = Field(None, description="Position among the media of the record's turn")
    span: dict[str, JsonValue] = Field({}, description="Of a video: frames and how they are taken")


class StoredMessage(BaseModel):
    """One message of a stored prompt."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    parts: list[StoredPart]


class StoredPrompt(BaseModel):
    """One line of `prompts.jsonl`: a prompt, kept once however often it was asked."""

    model_config = ConfigDict(extra="forbid")

    sha256: str
    messages: list[StoredMessage]
    expects: str
    decoding: dict[str, JsonValue] = Field({}, description="The task's own limits")
    max_tiles: int | None = None
    schema_sha256: str = Field("", description="Of the JSON schema that decoding was held to")


class StoredText(BaseModel):
    """One line of `texts.jsonl`: a block of text that prompts share."""

    model_config = ConfigDict(extra="forbid")

    sha256: str
    text: str


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder. Raises StoreError when there is none that can be read."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "schema_version" not in content:
            content = first_manifest(content)
        manifest = Manifest.model_validate(content)
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise StoreError(f"{folder} is not a run folder: {path.name}: {error}") from error
    if manifest.schema_version not in ("1.0", SCHEMA_VERSION):
        raise StoreError(
            f"{folder} was made by a newer er-bench (records {manifest.schema_version}, this one "
            f"reads up to {SCHEMA_VERSION}); update: pip install --upgrade er-bench"
        )
    return manifest


def read_records(folder: Path) -> Iterator[Record]:
    """The records of a run folder, one at a time; a torn last line is left out.

    Runs of the first er-bench are read as well: their records lack question, truth and prompt.
    Raises StoreError that names the line when another line cannot be read.
    """
    path = folder / RECORDS
    for number, line in enumerate(whole_lines(path), 1):
        try:
            if b'"completions":' in line and b'"rollout":' not in line:
                yield first_record(json.loads(line))
            else:
                yield Record.model_validate_json(line)
        except (ValidationError, ValueError, LookupError, TypeError) as error:
            raise StoreError(f"{path} line {number} is damaged: {_first_line(error)}") from error


def whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that end as lines do; none if there is no such file."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            yield line


def read_prompts(folder: Path) -> Iterator[StoredPrompt]:
    """The prompts of a run folder, each with its texts put together."""
    texts = {
        block.sha256: block.text
        for block in map(StoredText.model_validate_json, whole_lines(folder / TEXTS))
    }
    for prompt in map(StoredPrompt.model_validate_json, whole_lines(folder / PROMPTS)):
        for message in prompt.messages:
            for part in message.parts:
                if part.blocks:
                    part.text = "".join(texts[block] for block in part.blocks)
                    part.blocks = []
        yield prompt


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
