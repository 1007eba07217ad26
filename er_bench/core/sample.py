"""A sample: interleaved text, images and video, with the truth that judges the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class MediaRef:
    """Where the bytes of a picture or a video are, so that a report finds them again."""

    file: str
    """A path; relative ones start at the task's data folder, or at the run folder."""
    base: Literal["data", "run"] = "data"
    row: int | None = None
    """Zero-based row of `file`, where the bytes came with a row."""
    field: str = ""
    """Column of that row."""
    item: int | None = None
    """Position in a column that holds a list."""
    member: str = ""
    """Name inside `file`, where that is an archive."""


class Blob(Protocol):
    """Bytes that are read when they are needed, and not before."""

    @property
    def name(self) -> str:
        """What to call it in a message: a path, or a row and field."""

    @property
    def ref(self) -> MediaRef | None:
        """Where it can be found again; None for bytes that exist in this process only."""

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
    clip_s: tuple[float, float] | None = None
    """The span from start to end in seconds, where it is given so instead of in frames."""

    @property
    def ref(self) -> MediaRef:
        """The file."""
        return MediaRef(str(self.path))


Part = Text | Image | Video


@dataclass(frozen=True, slots=True)
class Sample(Generic[T_co]):
    """One item of a benchmark.

    `target` is the task's own typed truth, with whatever else the task needs of the row; only the
    task and its companion look inside. `where` names file and row for messages.
    """

    id: str
    parts: tuple[Part, ...]
    target: T_co
    cluster: str
    category: str
    where: str

    @property
    def text(self) -> str:
        """The text parts, joined by line breaks."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))

    def images(self) -> Iterator[Image]:
        """The still images, in order."""
        return (part for part in self.parts if isinstance(part, Image))

    @property
    def image(self) -> Blob:
        """The one image of a sample that has exactly one kind of picture: the first."""
        return next(self.images()).blob
