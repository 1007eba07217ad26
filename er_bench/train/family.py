"""What training asks of a model family; the families themselves live under `er_bench.models`."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from er_bench.core.errors import ConfigError
from er_bench.core.geometry import Size
from er_bench.core.model import Model, ModelSettings

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Tiles = NDArray[np.uint8]
"""`(N, S, S, 3)` RGB."""
Part = Literal["vision", "projector", "language"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. In a user's message each `<image>` stands for the next image."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """A conversation as token ids, and which of them the model is to learn."""

    ids: NDArray[np.int32]
    """`(L,)`."""
    supervised: NDArray[np.bool_]
    """`(L,)`: true on the tokens of answers and on the token that ends each answer."""


class Codec(Protocol):
    """Conversations to token ids and images to tiles; holds no weights, can be pickled."""

    @property
    def tile_tokens(self) -> int:
        """Tokens of one tile."""

    @property
    def pad_id(self) -> int:
        """The id that fills rows up."""

    def tile_count(self, size: Size, max_tiles: int) -> int:
        """How many tiles an image of `size` (width, height) is cut into, thumbnail included."""

    def tiles(self, image: PIL.Image.Image, max_tiles: int) -> Tiles:
        """The tiles of an RGB image."""

    def pixels(self, tiles: torch.Tensor) -> torch.Tensor:
        """Tiles `(N, S, S, 3)` uint8 as the model takes them, `(N, 3, S, S)` float32."""

    def frames_text(self, n: int) -> str:
        """What stands for a video of `n` frames in a question, with `n` times `<image>`."""

    def encode(self, turns: Sequence[Turn], tiles: Sequence[int]) -> Encoded:
        """Token ids of a conversation whose images have so many tiles each."""

    def blank(self) -> tuple[Encoded, Tiles]:
        """A shortest text with one blank tile, nothing of it supervised."""

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens kept."""

    def identity(self) -> str:
        """A digest of everything that decides how long an encoded conversation is."""


class Family(Protocol):
    """One architecture: its presets, how to open a checkpoint and how to write one."""

    presets: Mapping[str, Mapping[str, Any]]
    """Named recipe settings; `differs` says in words where a preset departs from the others."""

    def folder(self, checkpoint: str, revision: str | None) -> Path:
        """The folder of a checkpoint, fetched first where it is a hub id. Raises ConfigError."""

    def codec(self, folder: Path, *, system_message: str | None) -> Codec:
        """Tokenizer and tiling of a checkpoint. None: the family's own system message."""

    def load(
        self, folder: Path, *, dtype: torch.dtype, attention: str, empty: bool = False
    ) -> PreTrainedModel:
        """The model; `empty` builds it on the meta device, without weights, to be counted."""

    def part(self, parameter: str) -> Part:
        """Which part of the model a parameter belongs to."""

    def save(
        self,
        model: PreTrainedModel,
        state: Mapping[str, torch.Tensor],
        codec: Codec,
        out: Path,
        *,
        max_tiles: int,
    ) -> None:
        """Write the model as a folder that `load` and transformers open alone."""

    def live(self, model: PreTrainedModel, codec: Codec, settings: ModelSettings) -> Model:
        """The model under training as something that answers prompts."""


def family(name: str) -> Family:
    """The family called `name`: `FAMILY` in `er_bench.models.<name>.training`.

    Raises ConfigError.
    """
    module = f"er_bench.models.{name}.training"
    if not name.isidentifier() or not _exists(module):
        raise ConfigError(f"unknown model family {name!r}: there is no module {module}")
    return cast(Family, importlib.import_module(module).FAMILY)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
