"""A run folder in writing: `manifest.json`, append-only `records.jsonl`, one writer at a time.

A record is one line. It counts as done when it is written and flushed, those that are ready at the
same moment together, so that a killed process loses no record that counted and leaves at most one
torn line; opening the folder again cuts it off. Prompts are kept once each
(`prompts.jsonl`), and so are the blocks of long texts that many prompts share (`texts.jsonl`); they
are written before the record that names them. What the media hold is written once, when the run
begins (`media.jsonl`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from er_bench.core.errors import StoreError
from er_bench.core.manifest import Manifest
from er_bench.core.prompt import Prompt
from er_bench.core.record import Key, Record, RecordStatus
from er_bench.core.sample import Part, Text, Video
from er_bench.data.files import write_json, write_text, writing
from er_bench.data.run_folder import (
    MANIFEST,
    MEDIA,
    PROMPTS,
    RECORDS,
    TEXTS,
    UNREADABLE,
    StoredMedium,
    StoredMessage,
    StoredPart,
    StoredPrompt,
    StoredText,
    damaged,
    read_manifest,
    read_media,
    read_records,
    way_out,
    whole_lines,
)
from er_bench.run.media_identity import changed, told

NO_PROMPTS: Mapping[str, Prompt] = {}
BLOCK_CHARS = 1000
"""Texts longer than this are kept in blocks of about that many characters, cut at line ends."""


class RunStore:
    """The only writer of records. Use as a context manager; the lock is held inside it."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        *,
        resume: bool,
        media: Sequence[StoredMedium] = (),
    ) -> None:
        """Open a run folder for writing.

        `manifest.identity` is what must be equal for a run to be continued; `media` is what the
        media of its tasks hold.

        Raises:
            StoreError: another process writes here; the folder holds a run already and `resume`
                is off; or it holds another run, with the differences named.
        """
        self.folder = folder
        self._lock = lock(folder)
        try:
            self.done = self._open(manifest, resume, media)
            self._prompts, self._texts = _Lines(folder / PROMPTS), _Lines(folder / TEXTS)
            self._records: IO[str] = (folder / RECORDS).open("a", encoding="utf-8")
        except BaseException:
            self._lock.close()
            raise

    def _open(self, manifest: Manifest, resume: bool, media: Sequence[StoredMedium]) -> set[Key]:
        path = self.folder / MANIFEST
        if not path.exists():
            if (self.folder / RECORDS).exists():
                raise StoreError(
                    f"{self.folder} holds records of a run whose {MANIFEST} is gone, so nobody "
                    f"knows what they answer; give another --out, or move {RECORDS} away"
                )
            if media:
                lines = "".join(f"{medium.model_dump_json()}\n" for medium in media)
                write_text(self.folder / MEDIA, lines)
            write_json(path, manifest.model_dump(mode="json"))
            return set()
        if not resume:
            raise StoreError(
                f"{self.folder} holds a run already; continue it with --resume, "
                "or give another folder with --out"
            )
        then = read_manifest(self.folder)
        if then.schema_version != manifest.schema_version:
            raise StoreError(
                f"{self.folder} was begun by an earlier er-bench and cannot be continued; bring it "
                f"up to date first: er-bench score --run {self.folder}"
            )
        differences = run_differences(then, manifest)
        differences += _differences(_part(then), _part(manifest))
        differences += self._other_media(then, manifest, media)
        if differences:
            raise StoreError(
                f"{self.folder} holds another run, it cannot be resumed:\n  "
                + "\n  ".join(differences)
            )
        return _repair(self.folder / RECORDS)

    def _other_media(
        self, then: Manifest, now: Manifest, media: Sequence[StoredMedium]
    ) -> Iterator[str]:
        """A line for each task whose media hold something else; older runs do not say what."""
        for label, task in then.identity.tasks.items():
            new = now.identity.tasks.get(label)
            if new is None or task.media_fingerprint in ("", new.media_fingerprint):
                continue
            before = list(read_media(self.folder, label))
            names = changed(before, [m for m in media if m.task == label]) if before else []
            which = told(names) or f"{MEDIA} does not say which"
            yield f"tasks.{label}: other media lie under its rows: {which}"

    def append(self, record: Record, prompts: Mapping[str, Prompt] = NO_PROMPTS) -> None:
        """Write one record and flush it, the prompts that it names, by identity, before it."""
        self.append_all([(record, prompts)])

    def append_all(self, ready: Sequence[tuple[Record, Mapping[str, Prompt]]]) -> None:
        """Write records and flush them once, what they name before them: texts, then prompts."""
        with writing(self.folder):
            for _, prompts in ready:
                for sha256, prompt in prompts.items():
                    if sha256 not in self._prompts.known:
                        self._keep(sha256, prompt)
            self._texts.flush()
            self._prompts.flush()
            self._records.write("".join(record.to_line() for record, _ in ready))
            self._records.flush()

    def _keep(self, sha256: str, prompt: Prompt) -> None:
        media = 0
        messages = []
        for message in prompt.messages:
            parts = []
            for part in message.parts:
                parts.append(self._stored(part, media))
                media += not isinstance(part, Text)
            messages.append(StoredMessage(role=message.role, parts=parts))
        decoding = {k: v for k, v in prompt.decoding.to_dict().items() if v is not None}
        schema = prompt.json_schema
        stored = StoredPrompt(
            sha256=sha256,
            messages=messages,
            expects=str(prompt.expects),
            decoding=decoding,
            max_tiles=prompt.max_tiles,
            schema_sha256=_sha256(json.dumps(schema, sort_keys=True)) if schema else "",
        )
        self._prompts.add(sha256, stored.model_dump_json(exclude_defaults=True))

    def _stored(self, part: Part, medium: int) -> StoredPart:
        if isinstance(part, Video):
            span = {
                "start_frame": part.start_frame,
                "stop_frame": part.stop_frame,
                "n_frames": part.n_frames,
                "sampling": part.sampling,
                "fps": part.fps,
                "clip_s": part.clip_s and list(part.clip_s),
            }
            return StoredPart(medium=medium, span={k: v for k, v in span.items() if v is not None})
        if not isinstance(part, Text):
            return StoredPart(medium=medium)
        if len(part.text) <= BLOCK_CHARS:
            return StoredPart(text=part.text)
        blocks = []
        for block in text_blocks(part.text):
            blocks.append(sha256 := _sha256(block))
            if sha256 not in self._texts.known:
                line = StoredText(sha256=sha256, text=block).model_dump_json()
                self._texts.add(sha256, line)
        return StoredPart(blocks=blocks)

    def close(self) -> None:
        """Sync the records to disk and let the folder go."""
        with writing(self.folder), ExitStack() as all_of_them:
            for file in (self._lock, self._records, self._prompts, self._texts):
                all_of_them.callback(file.close)
            self._records.flush()
            os.fsync(self._records.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


class _Lines:
    """A file of lines, each kept once under its SHA-256."""

    def __init__(self, path: Path) -> None:
        whole = list(whole_lines(path))
        self.known = set()
        for number, line in enumerate(whole, 1):
            try:
                self.known.add(str(json.loads(line)["sha256"]))
            except UNREADABLE as error:
                raise damaged(path, number, error) from error
        if path.exists() and path.stat().st_size != sum(map(len, whole)):
            with path.open("r+b") as file:
                file.truncate(sum(map(len, whole)))
        self._file: IO[str] = path.open("a", encoding="utf-8")
        self._new: list[str] = []

    def add(self, sha256: str, line: str) -> None:
        """Take a line, to be written at the next flush."""
        self.known.add(sha256)
        self._new.append(f"{line}\n")

    def flush(self) -> None:
        """Write what is new, in one piece."""
        if self._new:
            self._file.write("".join(self._new))
            self._new.clear()
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def text_blocks(text: str) -> Iterator[str]:
    """A text cut at line ends into blocks of at least BLOCK_CHARS; texts that begin alike share.

    Joined, the blocks are the text.
    """
    block = ""
    for line in text.splitlines(keepends=True):
        block += line
        if len(block) >= BLOCK_CHARS:
            yield block
            block = ""
    if block:
        yield block


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def lock(folder: Path) -> IO[str]:
    """Make a run folder if there is none and hold it until the file is closed.

    Raises StoreError when another process holds it, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        held = os.fdopen(os.open(folder / ".lock", flags, 0o644), "r+")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(
            f"{folder} cannot be a run folder: {why}; give another folder with --out"
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise StoreError(
            f"another process is writing to {folder}; wait for it, or give another --out"
        ) from None
    return held


def stray(folder: Path, key: Key) -> StoreError:
    """The error about a record that belongs to no sample of the run, or is its second."""
    task, sample_id, repeat = key
    return StoreError(
        f"{folder / RECORDS} holds a record that the run has no place for, or two of: task "
        f"{task!r}, id {sample_id!r}, repeat {repeat}; {way_out(folder)}"
    )


def _repair(path: Path) -> set[Key]:
    """Keep what need not run again: whole lines, and of those no failed request or simulator."""
    again = {RecordStatus.MODEL_ERROR, RecordStatus.ENV_ERROR}
    done: set[Key] = set()
    kept, dropped = path.with_suffix(".part"), not path.exists()
    with kept.open("w", encoding="utf-8") as out:
        size = 0
        for record in read_records(path.parent):
            line = record.to_line()
            size += len(line.encode())
            if record.status in again or record.key in done:
                dropped = True
                continue
            done.add(record.key)
            out.write(line)
        out.flush()
        os.fsync(out.fileno())
    if dropped or size != path.stat().st_size:
        kept.replace(path)
    else:
        kept.unlink()
    return done


def _identity(manifest: Manifest) -> dict[str, object]:
    return manifest.identity.model_dump(exclude={"tasks": {"__all__": {"media_fingerprint"}}})


def _part(manifest: Manifest) -> dict[str, object]:
    sizes = {label: {"n_total": plan.n_total} for label, plan in manifest.tasks.items()}
    return {"tasks": sizes, "shard": manifest.shard and manifest.shard.model_dump()}


def run_differences(then: Manifest, now: Manifest) -> list[str]:
    """A line for each way in which two manifests are not of one run; parts of one are of one."""
    return _differences(_identity(then), _identity(now))


def _differences(then: object, now: object, path: str = "") -> list[str]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        found = []
        for name in sorted({*then, *now}):
            inner = f"{path}.{name}" if path else name
            found += _differences(then.get(name), now.get(name), inner)
        return found
    return [] if then == now else [f"{path}: it was {_short(then)}, now it is {_short(now)}"]


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
