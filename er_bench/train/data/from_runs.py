"""Training records made of a run: the prompts that were asked, and the answers judged good.

A model that answers well (or a reference model, whose answer is the truth) teaches another one;
what its judge refused is kept apart, with the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from er_bench.core.errors import DataError, StoreError, UsageError
from er_bench.core.manifest import Manifest
from er_bench.core.message import Message
from er_bench.core.paths import resolved
from er_bench.core.record import Key, Record, RecordStatus
from er_bench.core.sample import Blob, Image, MediaRef, Part, Text, Video
from er_bench.core.score import Verdict
from er_bench.data.chat_records import chat_record
from er_bench.data.files import write_json, writing
from er_bench.data.referenced import References
from er_bench.data.rows import FileBlob
from er_bench.data.run_folder import (
    StoredPart,
    StoredPrompt,
    read_manifest,
    read_prompts,
    read_records,
)
from er_bench.train.data.stepwise import thoughts_of, with_thoughts

RECORDS, REJECTED, META, PICTURES = "records.jsonl", "rejected.jsonl", "meta.json", "images"
PROVENANCE = "provenance"
"""The field that says where a record comes from; nothing reads it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which answers are good enough."""

    reading: str
    at_least: float
    worth: Mapping[str, Callable[[float], float]]
    """What makes more of a task's score better, by the task's label."""
    thoughts: bool = False
    """Whether an answer without thoughts teaches nothing."""
    objections: Mapping[Key, str] = field(default_factory=dict)
    """What a judge of the reasoning objects to, by record."""

    def refusal(self, record: Record) -> str | None:
        """Why a record's answer does not teach; None where it does."""
        if record.status is not RecordStatus.SCORED:
            return f"{record.status}: {record.error}"
        verdict = record.judgement.get(self.reading)
        if verdict is None:
            return f"no reading {self.reading!r}"
        if verdict.score is None:
            return f"left out by {self.reading}: {verdict.why}"
        worth = self.worth[record.task](verdict.score)
        if worth < self.at_least:
            return f"{worth:.4g} is less than {self.at_least:g}: {verdict.why}"
        if record.truncated:
            return "cut off at the token limit"
        if self.thoughts and not thoughts_of(record.rollout.completion):
            return "no thoughts in <think>"
        if record.key in self.objections:
            return f"the judge of the reasoning: {self.objections[record.key]}"
        return None


def records_of_run(run: Path, out: Path, choice: Choice) -> tuple[int, int]:
    """Write a run's good answers as training records; returns how many, and how many were refused.

    `out` gets `meta.json` for `er-bench sft`, the records, their pictures, and the refused
    answers. Raises StoreError, DataError, and UsageError for a run of episodes.
    """
    manifest = read_manifest(run)
    prompts = {prompt.sha256: prompt for prompt in read_prompts(run)}
    with writing(out):
        (out / PICTURES).mkdir(parents=True, exist_ok=True)
        counts = _write(run, out, manifest, prompts, choice)
    entry = {
        "root": PICTURES, "annotation": RECORDS, "data_augment": False, "repeat_time": 1,
        "length": counts[0], "unread": [PROVENANCE],
    }  # fmt: skip
    if counts[0]:
        write_json(out / META, {resolved(run).name: entry})
    return counts


def _write(
    run: Path, out: Path, manifest: Manifest, prompts: Mapping[str, StoredPrompt], choice: Choice
) -> tuple[int, int]:
    places: dict[str, References] = {}
    kept = refused = 0
    with (
        (out / RECORDS).open("w", encoding="utf-8") as good,
        (out / REJECTED).open("w", encoding="utf-8") as bad,
    ):
        for record in read_records(run):
            if record.task not in places:
                places[record.task] = References(Path(manifest.tasks[record.task].root), run)
            why = choice.refusal(record)
            if why is None:
                line = _line(record, manifest, prompts, places[record.task], out, choice)
                kept += 1
            else:
                answer = "\n".join(c.text for c in record.completions())
                line = {"task": record.task, "id": record.id, "why": why, "answer": answer}
                refused += 1
            (bad if why else good).write(json.dumps(line, ensure_ascii=False) + "\n")
    return kept, refused


def _line(
    record: Record,
    manifest: Manifest,
    prompts: Mapping[str, StoredPrompt],
    media: References,
    out: Path,
    choice: Choice,
) -> dict[str, object]:
    if record.rollout.start is not None or len(record.rollout.turns) != 1:
        raise UsageError(f"{record.task} is made of episodes; records are made of questions")
    turn = record.rollout.turns[0]
    stored = prompts.get(turn.prompt_sha256)
    if stored is None:
        raise StoreError(f"the run does not keep the prompt of {record.task} {record.id!r}")
    root = out / PICTURES
    blobs = [_copied(media, ref, root) for ref in turn.media]
    answer = Message("assistant", (Text(with_thoughts(turn.completion)),))
    verdict = record.judgement[choice.reading]
    name = f"{record.task}/{record.id}/{record.repeat}"
    try:
        told = chat_record(name, [*asked(stored, blobs), answer], root)
    except DataError as error:
        raise DataError(str(error), row=name) from error
    return told | {PROVENANCE: _provenance(record, manifest, verdict, choice)}


def asked(stored: StoredPrompt, media: Sequence[Blob]) -> list[Message]:
    """A stored prompt with its pictures and videos, which are files."""
    return [Message(m.role, tuple(_parts(m.parts, media))) for m in stored.messages]


def good_ones(run: Path, choice: Choice) -> Iterator[tuple[Record, Sequence[Message]]]:
    """The records of a run that a choice takes, each with what was asked, pictures and all."""
    manifest = read_manifest(run)
    prompts = {prompt.sha256: prompt for prompt in read_prompts(run)}
    places: dict[str, References] = {}
    for record in read_records(run):
        if choice.refusal(record) is not None:
            continue
        if record.task not in places:
            places[record.task] = References(Path(manifest.tasks[record.task].root), run)
        turn = record.rollout.turns[0]
        media = [places[record.task].blob(ref) for ref in turn.media]
        yield record, asked(prompts[turn.prompt_sha256], media)


def _parts(stored: Sequence[StoredPart], media: Sequence[Blob]) -> Iterator[Part]:
    """A message's parts; a picture or video stands on a line of its own, as families write it."""
    before: Literal["", "text", "picture"] = ""
    for part in stored:
        if part.medium is not None:
            if before:
                yield Text("\n")
            yield _medium(media[part.medium], part.span)
            before = "picture"
        elif part.text:
            opens = "" if before != "picture" or part.text.startswith("\n") else "\n"
            yield Text(opens + part.text)
            before = "" if part.text.endswith("\n") else "text"


def _medium(blob: Blob, span: Mapping[str, Any]) -> Image | Video:
    """A stored medium: a video is one that has a span."""
    if not span:
        return Image(blob)
    clip_s = span.get("clip_s")
    return Video(Path(blob.name), **{**span, "clip_s": clip_s and tuple(clip_s)})


def _copied(media: References, ref: MediaRef, root: Path) -> FileBlob:
    blob = media.blob(ref)
    content = blob.read()
    # A picture that came with a row has the row file's suffix, which is none of its own.
    suffix = ".png" if ref.row is not None else Path(ref.member or ref.file).suffix.lower()
    file = root / f"{hashlib.sha256(content).hexdigest()[:32]}{suffix}"
    if not file.exists():
        file.write_bytes(content)
    return FileBlob(file)


def _provenance(
    record: Record, manifest: Manifest, verdict: Verdict, choice: Choice
) -> dict[str, object]:
    return {
        "model": manifest.model.name,
        "checkpoint": manifest.model.checkpoint,
        **({"request": "four steps"} if "thinks" in manifest.model.settings else {}),
        "prompt_sha256": record.rollout.turns[0].prompt_sha256,
        "reading": choice.reading,
        "score": verdict.score,
        "parts": dict(verdict.parts),
    }
