"""Training records: chat JSON lines named by a meta JSON, read by byte offset.

The formats are those of OpenGVLab/Vlaser `internvl_chat_finetune.py` (commit 40d7821): a meta JSON
`{name: {root, annotation, repeat_time, data_augment, max_dynamic_patch}}`, and lines
`{id, image | video, conversations: [{from, value}]}`. What is wrong there is an error here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from er_bench.core.errors import DataError
from er_bench.data.rows import Row, inside
from er_bench.train.family import Turn

ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "human": "user",
    "gpt": "assistant",
}
META_FIELDS = {"root", "annotation", "repeat_time", "data_augment", "max_dynamic_patch", "length"}
IMAGE, VIDEO = "<image>", "<video>"


@dataclass(frozen=True, slots=True)
class Record:
    """One conversation and the files it talks about."""

    turns: tuple[Turn, ...]
    images: tuple[Path, ...]
    video: Path | None
    clip_s: tuple[float, float] | None
    row: Row

    def error(self, problem: str, field: str) -> DataError:
        """An error about this record, naming file and line."""
        return self.row.error(problem, field)


@dataclass(frozen=True, slots=True)
class Source:
    """One data set of the mixture: an annotation file and how often it is seen."""

    name: str
    root: Path
    annotation: Path
    repeat_time: float
    degrade: bool
    """Whether each tile goes through a random JPEG quality."""
    max_tiles: int | None
    offsets: NDArray[np.int64]
    """Byte offset of every line that is not blank."""
    lines: NDArray[np.int64]
    """One-based number of each of these lines."""

    def entries(self) -> NDArray[np.int64]:
        """Records of one pass: the first `int(n r)` for r < 1, else all of them r times over."""
        n, repeat = len(self.offsets), self.repeat_time
        if repeat < 1:
            return np.arange(int(n * repeat))
        return np.tile(np.arange(n), int(repeat))

    def record(self, index: int) -> Record:
        """Read one record. Raises DataError naming file and line."""
        with self.annotation.open("rb") as file:
            file.seek(int(self.offsets[index]))
            line = file.readline()
        number = int(self.lines[index])
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise DataError(f"not JSON: {error}", file=self.annotation, row=number) from error
        if not isinstance(fields, dict):
            raise DataError("expected a JSON object", file=self.annotation, row=number)
        return parse(Row(fields, self.annotation, number), self.root)


def parse(row: Row, root: Path) -> Record:
    """A line as a record, media counted but not opened. Raises DataError."""
    turns = _turns(row)
    images, video = row.fields.get("image"), row.fields.get("video")
    if images is not None and video is not None:
        raise row.error("a record has an image or a video, not both", "video")
    if video is not None:
        if not isinstance(video, str):
            raise row.error("expected a path", "video")
        path = _existing(root, video, row, "video")
        return Record(_one_placeholder(turns, VIDEO, row), (), path, _clip(row), row)
    if images is None:
        _no_media(turns, row)
        return Record(turns, (), None, None, row)
    names = [images] if isinstance(images, str) else images
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or not names:
        raise row.error("expected a path or a list of paths", "image")
    paths = tuple(_existing(root, name, row, "image") for name in names)
    if isinstance(images, str):
        turns = _one_placeholder(turns, IMAGE, row)
    elif (found := _count(turns, IMAGE)) != len(paths):
        raise row.error(f"{len(paths)} images but {found} times {IMAGE}", "conversations")
    return Record(turns, paths, None, None, row)


def _turns(row: Row) -> tuple[Turn, ...]:
    turns = []
    for number, message in enumerate(row.items("conversations")):
        field = f"conversations[{number}]"
        if not isinstance(message, Mapping) or message.get("from") not in ROLES:
            raise row.error(f"expected a message from {', '.join(ROLES)}", field)
        if not isinstance(message.get("value"), str):
            raise row.error("expected text", f"{field}.value")
        turns.append(Turn(ROLES[message["from"]], message["value"]))
    talk = [turn.role for turn in turns[turns[:1] != [] and turns[0].role == "system" :]]
    if not talk or talk != ["user", "assistant"] * (len(talk) // 2):
        raise row.error("human and gpt must take turns, and gpt end", "conversations")
    return tuple(turns)


def _one_placeholder(turns: tuple[Turn, ...], mark: str, row: Row) -> tuple[Turn, ...]:
    """The turns with one `mark`; put before the first question if it has none, as released."""
    found = _count(turns, mark)
    if found == 0:
        first = next(k for k, turn in enumerate(turns) if turn.role == "user")
        turn = Turn("user", f"{mark}\n{turns[first].text}")
        return (*turns[:first], turn, *turns[first + 1 :])
    if found > 1:
        raise row.error(f"1 file but {found} times {mark}", "conversations")
    return turns


def _no_media(turns: Sequence[Turn], row: Row) -> None:
    for mark in (IMAGE, VIDEO):
        if found := _count(turns, mark):
            raise row.error(f"no file but {found} times {mark}", "conversations")


def _count(turns: Sequence[Turn], mark: str) -> int:
    return sum(turn.text.count(mark) for turn in turns if turn.role == "user")


def _existing(root: Path, name: str, row: Row, field: str) -> Path:
    path = inside(root, name, row, field)
    if not path.is_file():
        raise row.error(f"there is no file {path}", field)
    return path


def _clip(row: Row) -> tuple[float, float] | None:
    clip = row.fields.get("clip")
    if clip is None:
        return None
    if (
        not isinstance(clip, list)
        or len(clip) != 2
        or not all(isinstance(t, (int, float)) for t in clip)
        or not 0 <= clip[0] < clip[1]
    ):
        raise row.error("expected [start, end] in seconds", "clip")
    return float(clip[0]), float(clip[1])


def read_meta(file: Path) -> list[Source]:
    """The data sets that a meta JSON lists. Raises DataError naming the file and the data set.

    A relative `root` or `annotation` is taken from the meta file's folder.
    """
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"not readable JSON: {error}", file=file) from error
    if not isinstance(meta, dict) or not meta:
        raise DataError("expected an object of data sets", file=file)
    return [_source(name, entry, file) for name, entry in meta.items()]


def _source(name: str, entry: Any, file: Path) -> Source:
    def wrong(problem: str, field: str) -> DataError:
        return DataError(problem, file=file, row=name, field=field)

    if not isinstance(entry, dict):
        raise wrong("expected an object", name)
    if unknown := sorted(set(entry) - META_FIELDS):
        raise wrong(f"unknown; known are {', '.join(sorted(META_FIELDS))}", unknown[0])
    for field in ("root", "annotation"):
        if not isinstance(entry.get(field), str):
            raise wrong("expected a path", field)
    repeat = entry.get("repeat_time", 1)
    if isinstance(repeat, bool) or not isinstance(repeat, (int, float)) or not repeat > 0:
        raise wrong("expected a number above 0", "repeat_time")
    if repeat > 1 and repeat != int(repeat):
        raise wrong("above 1 it must be a whole number", "repeat_time")
    tiles = entry.get("max_dynamic_patch")
    if tiles is not None and (isinstance(tiles, bool) or not isinstance(tiles, int) or tiles < 1):
        raise wrong("expected a whole number from 1 on", "max_dynamic_patch")
    if not isinstance(entry.get("data_augment", False), bool):
        raise wrong("expected true or false", "data_augment")
    annotation = file.parent / entry["annotation"]
    if not annotation.is_file() or annotation.suffix != ".jsonl":
        raise wrong(f"there is no .jsonl file {annotation}", "annotation")
    offsets, lines = line_offsets(annotation)
    degrade = entry.get("data_augment", False)
    root = file.parent / entry["root"]
    return Source(name, root, annotation, float(repeat), degrade, tiles, offsets, lines)


def line_offsets(file: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Byte offset and one-based number of each line that is not blank."""
    offsets, numbers, offset = [], [], 0
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                offsets.append(offset)
                numbers.append(number)
            offset += len(line)
    return np.array(offsets, np.int64), np.array(numbers, np.int64)
