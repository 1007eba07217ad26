"""A sample: interleaved text, images and video, with the truth that judges the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol


class Blob(Protocol):
    """Bytes that are read when they are needed, and not before."""

    @property
    def name(self) -> str:
        """What to call it in a message: a path, or a row and field."""

    def read(self) -> bytes:
        """The bytes, as stored. Raises DataError when they cannot be read."""

    def missing(self) -> bool:
        """Whether the bytes are known not to be there, found out without reading them."""


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """One still image, as encoded in the data set."""

    blob: Blob


@dataclass(frozen=True, slots=True)
class Video:
    """A video file, or the span of it that a question is about.

    `n_frames` and `sampling` are set where the benchmark fixes them; None leaves the choice to the
    model card. `centres` takes the middle of n equal segments (InternVL `get_index`), `linspace`
    takes n indices from first to last, both ends included. `label` is how a multi-image model
    names the frames.
    """

    path: Path
    start_frame: int = 0
    stop_frame: int | None = None
    """Index of the last frame of the span, inclusive; None is the last frame of the file."""
    n_frames: int | None = None
    sampling: Literal["centres", "linspace"] | None = None
    label: Literal["frame", "image"] = "frame"
    fps: float | None = None
    """The frame rate that the frame numbers count in; None is the file's own."""


Part = Text | Image | Video


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a benchmark.

    `target` is the task's own typed truth; only the task and its scorer look inside.
    `where` names file and row for messages.
    """

    id: str
    parts: tuple[Part, ...]
    target: Any
    cluster: str
    category: str
    where: str
    meta: Mapping[str, Any] = field(default_factory=dict)
