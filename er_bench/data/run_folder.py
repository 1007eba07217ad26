"""Reading a run folder: its manifest, its records, the words of its prompts. The one reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from er_bench.core.errors import StoreError
from er_bench.core.manifest import Manifest
from er_bench.core.record import SCHEMA_VERSION, Record
from er_bench.data.first_runs import first_manifest, first_record

Line = TypeVar("Line", bound=BaseModel)
MANIFEST, RECORDS, PROMPTS, TEXTS = "manifest.json", "records.jsonl", "prompts.jsonl", "texts.jsonl"
MEDIA = "media.jsonl"


UNREADABLE = (ValidationError, ValueError, LookupError, TypeError, AttributeError, RecursionError,
              OverflowError)  # fmt: skip
"""What reading a damaged line or file may raise."""


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


class StoredMedium(BaseModel):
    """One line of `media.jsonl`: a picture, video or mask as it was when the run began."""

    model_config = ConfigDict(extra="forbid")

    task: str
    id: str = Field(description="Of the sample")
    position: int = Field(description="Among the media of the sample")
    file: str = Field(description="Its name, seen from the task's data folder")
    n_bytes: int
    sha256: str = Field(description="Of the bytes; over 4 MiB of first, middle and last 256 KiB")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder. Raises StoreError when there is none that can be read."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "schema_version" not in content:
            content = first_manifest(content)
        manifest = Manifest.model_validate(content)
    except (OSError, *UNREADABLE) as error:
        raise StoreError(
            f"{folder} is not a run folder: {path.name}: {_first_line(error)}; a run is begun "
            "with er-bench run --out FOLDER"
        ) from error
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
            record = record_of(line)
        except UNREADABLE as error:
            raise damaged(path, number, error) from error
        yield record


def record_of(line: bytes) -> Record:
    """The record in a line, of today's er-bench or the first. Raises one of UNREADABLE."""
    if b'"completions":' in line and b'"rollout":' not in line:
        return first_record(json.loads(line))
    return Record.model_validate_json(line)


def damaged(path: Path, number: int, why: Exception | str) -> StoreError:
    """The error about a line of a run folder that cannot be used, with the way out."""
    return StoreError(
        f"{path} line {number} is damaged: {_first_line(why)}; {way_out(path.parent)}"
    )


def way_out(folder: Path) -> str:
    """The command that repairs a run folder, in words."""
    return f"set such lines aside and keep the others with: er-bench doctor --repair {folder}"


def whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that end as lines do; none if there is no such file.

    Raises StoreError for what is no file, or cannot be read.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                yield line
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read as lines: {error.strerror}; move it away and run again with "
            "--resume"
        ) from error


def read_prompts(folder: Path) -> Iterator[StoredPrompt]:
    """The prompts of a run folder, each with its texts put together."""
    blocks = _models(folder / TEXTS, StoredText)
    texts = {block.sha256: block.text for block in blocks}
    for number, prompt in enumerate(_models(folder / PROMPTS, StoredPrompt), 1):
        for message in prompt.messages:
            for part in message.parts:
                if lost := [block for block in part.blocks if block not in texts]:
                    raise damaged(folder / PROMPTS, number, f"{TEXTS} lacks the text {lost[0]}")
                if part.blocks:
                    part.text = "".join(texts[block] for block in part.blocks)
                    part.blocks = []
        yield prompt


def read_media(folder: Path, task: str) -> Iterator[StoredMedium]:
    """What the media of a run's task held when it began; nothing in runs before that was kept."""
    return (medium for medium in _models(folder / MEDIA, StoredMedium) if medium.task == task)


def _models(path: Path, kind: type[Line]) -> Iterator[Line]:
    for number, line in enumerate(whole_lines(path), 1):
        try:
            found = kind.model_validate_json(line)
        except UNREADABLE as error:
            raise damaged(path, number, error) from error
        yield found


def _first_line(error: Exception | str) -> str:
    return " ".join(str(error).split())[:300]
