"""A model family: how its conversations become tokens, its pictures features, its ids an answer.

A backend knows no family. It finds one by the checkpoint's configuration or by the name on the
model's card, and asks at one of three doors: `engine` where the weights are in this process,
`token_writer` for an engine that takes token ids, `served` for a chat server. Training goes through
`training`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from er_bench.core.geometry import Size
from er_bench.core.prompt import Decoding, Prompt

if TYPE_CHECKING:
    import PIL.Image
    import torch

Args = TypeVar("Args", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation as token ids: what a family's one render function returns."""

    ids: tuple[int, ...]
    supervised: tuple[bool, ...]
    """For each id: whether a model is to learn it. All false where the next answer is asked for."""
    slots: tuple[range, ...]
    """Where the tokens of each picture stand in `ids`, in order."""

    def filled(self, placeholder: Sequence[int]) -> list[int]:
        """The ids with the same few in every slot, for an engine that makes pictures' tokens."""
        ids: list[int] = []
        last = 0
        for slot in self.slots:
            ids += (*self.ids[last : slot.start], *placeholder)
            last = slot.stop
        return [*ids, *self.ids[last:]]


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt made ready for an engine: everything read, cut and tokenised."""

    length: int
    """Number of prompt tokens."""
    image_sizes: tuple[Size, ...]
    """`(width, height)` of each still image as sent."""
    payload: Any
    """The engine's own form of it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request."""

    text: str
    finish_reason: str
    tokens_out: int


class Engine(Protocol):
    """One checkpoint, loaded in this process."""

    def prepare(self, prompt: Prompt) -> Request:
        """Read the media and tokenise; called on several threads. Raises DataError."""

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> list[Reply]:
        """Answer a batch; called on one thread."""


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """A prompt for an engine that makes pictures' tokens itself."""

    ids: list[int]
    """With one placeholder for each picture."""
    images: list[PIL.Image.Image]
    """Still images and video frames in order, RGB."""
    processor: Mapping[str, object]
    """Settings of the checkpoint's picture processor for this prompt."""
    image_sizes: tuple[Size, ...]
    """`(width, height)` of each still image."""


class TokenWriter(Protocol):
    """One checkpoint's prompts as token ids, for an engine that holds the weights elsewhere."""

    @property
    def stops(self) -> Sequence[int]:
        """The ids that end an answer."""

    def write(self, prompt: Prompt) -> TokenPrompt:
        """Read the media and tokenise; called on several threads. Raises DataError."""

    def read(self, ids: Sequence[int]) -> tuple[str, str]:
        """The answer's text and its finish reason, `stop` or `length`."""


class Served(BaseModel):
    """What a family's model needs of the client of a chat server; its fields are settings.

    This one needs nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def exact_pixels(self) -> bool:
        """Whether pictures must arrive without loss."""
        return False

    def request_fields(self, prompt: Prompt) -> Mapping[str, object]:
        """More fields of a prompt's request."""
        del prompt
        return {}

    def check_text(self, text: str) -> None:
        """Raise DataError for a text that the model would not read as text."""
        del text

    def answer(self, text: str) -> str:
        """The answer in a reply's text."""
        return text


@dataclass(frozen=True, slots=True)
class Family(Generic[Args]):
    """One architecture and the conversations that it was trained on; None where there is no door.

    What opens a checkpoint takes its folder and raises ConfigError.
    """

    name: str
    args: type[Args]
    """Settings of asking, from a card's `args` and `--model-args`."""
    owns: Callable[[Mapping[str, object]], bool]
    """Whether a checkpoint's `config.json` is one of this family."""
    engine: Callable[[Path, Args, str, torch.dtype, str], Engine]
    """Loads a checkpoint on a device, in a precision, with an attention kernel."""
    token_writer: Callable[[Path, Args], TokenWriter] | None = None
    """Opens a checkpoint without its weights."""
    served: type[Served] = Served
    """Settings and wishes of a model on a chat server."""
    packages: tuple[str, ...] = ()
    """What its checkpoints need here beside the extra `hf`."""
    training: Callable[[], object] | None = None
    """Gives what `er_bench.train.family.Trainable` asks."""


AnyFamily = Family[Any]
