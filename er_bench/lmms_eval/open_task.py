"""One static task on its rows, as documents are asked for: by id, in any order, from threads."""

from __future__ import annotations

import atexit
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from er_bench.core.completion import Completion
from er_bench.core.errors import UsageError
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Image, MediaRef, Part, Text, Video
from er_bench.core.task import AnySample, QuestionTask
from er_bench.data import media
from er_bench.data.rows import BytesBlob
from er_bench.run.open_tasks import RowChoice, open_tasks

if TYPE_CHECKING:
    import PIL.Image

FRAMES = 16
"""Of a span of a video that fixes no number itself."""
Item = dict[str, Any]
"""What lmms-eval keeps of one sample under one metric."""


class Settings(BaseModel):
    """How the tasks of a folder are opened."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str | None = None
    dialect: str = "benchmark"
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kept:
    """Bytes of a row, put aside into one file: lmms-eval asks for documents in any order."""

    name: str
    file: IO[bytes]
    start: int
    length: int
    lock: threading.Lock
    ref: MediaRef | None = None

    def read(self) -> bytes:
        """The bytes."""
        with self.lock:
            self.file.seek(self.start)
            return self.file.read(self.length)

    def missing(self) -> bool:
        """They are there."""
        return self.length == 0


class OpenTask:
    """One task on its rows, its samples by id."""

    def __init__(self, settings: Settings, label: str, split: str) -> None:
        """Raises DataError for rows that cannot be read, UsageError where none are at hand."""
        registry = Registry(tuple(map(Path, settings.include)))
        data = Path(settings.data) if settings.data and split == "official" else None
        choice = RowChoice([label], split, data, accept_data=True)
        (opened,) = open_tasks(registry, choice, settings.dialect, None)
        if opened.why_not:
            raise UsageError(f"{label}: {opened.why_not}")
        name, _, protocol = label.partition("@")
        spec = TaskSpec(name, opened.task.root, protocol or None, settings.dialect)
        self.task = question_task(registry, spec)
        self._file, self._lock = tempfile.TemporaryFile(), threading.Lock()
        atexit.register(self._file.close)  # lmms-eval lets go of no task
        self._judging = threading.Lock()
        self._frames = media.FrameCache()
        self.samples = {sample.id: self._light(sample) for sample in self.task.samples()}

    def _light(self, sample: AnySample) -> AnySample:
        return replace(sample, parts=tuple(map(self._aside, sample.parts)))

    def _aside(self, part: Part) -> Part:
        if not (isinstance(part, Image) and isinstance(part.blob, BytesBlob)):
            return part
        content = part.blob.read()
        start = self._file.seek(0, 2)
        self._file.write(content)
        kept = _Kept(part.blob.name, self._file, start, len(content), self._lock, part.blob.ref)
        return Image(kept)

    def judged(self, sample_id: str, text: str) -> dict[str, Item]:
        """What each reading makes of an answer, as an item of its metric."""
        sample = self.samples[sample_id]
        sizes = tuple(media.image_size(image.blob) for image in sample.images())
        rollout = Rollout.answered(Completion(text, image_sizes=sizes))
        with self._judging:
            judgement = self.task.judge(sample, rollout)
        about = {
            "task": self.task.label, "id": sample.id, "cluster": sample.cluster,
            "category": sample.category,
        }  # fmt: skip
        return {
            name: {
                **about,
                "reading": name,
                # lmms-eval averages every `score` that there is.
                **({} if verdict.score is None else {"score": verdict.score}),
                "parts": dict(verdict.parts),
                "why": verdict.why,
            }
            for name, verdict in judgement.items()
        }

    def content(self, part: Part) -> list[dict[str, Any]]:
        """A part as lmms-eval's `ChatMessages` takes it; of a span of a video, its frames."""
        match part:
            case Text(text):
                return [{"type": "text", "text": text}]
            case Image(blob):
                return [_picture(media.image(blob))]
        if part == Video(part.path):
            return [{"type": "video", "url": str(part.path)}]
        return [_picture(frame) for frame in self._frames.frames(part, FRAMES, "linspace")]


def question_task(registry: Registry, spec: TaskSpec) -> QuestionTask[Any]:
    """A task that asks once. Raises UsageError for another."""
    task = registry.open_task(spec)
    if not isinstance(task, QuestionTask):
        raise UsageError(f"{task.label} plays episodes; lmms-eval is offered static tasks alone")
    return task


def task_without_rows(settings: Settings, label: str) -> QuestionTask[Any]:
    """A task without rows of its own: for its readings."""
    registry = Registry(tuple(map(Path, settings.include)))
    name, _, protocol = label.partition("@")
    spec = TaskSpec(name, registry.task_folders[name], protocol or None, settings.dialect)
    return question_task(registry, spec)


def _picture(picture: PIL.Image.Image) -> dict[str, Any]:
    return {"type": "image", "url": picture}
