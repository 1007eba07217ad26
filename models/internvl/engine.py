"""The InternVL family in this process: prompts to ids and tiles, batches to answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import PIL.Image
from pydantic import BaseModel, ConfigDict, Field

from er_bench.core.prompt import Decoding, Prompt
from er_bench.core.sample import Image, Text, Video
from er_bench.data import media
from er_bench.models.engine import Reply, Request, generation_config
from er_bench.models.internvl.load import InternVL
from er_bench.models.internvl.prompt import (
    FramePrefix,
    MultiImageBudget,
    Picture,
    Style,
    Turn,
    lay_out,
    tile_budget,
)
from er_bench.models.internvl.tiling import Tiles, normalise, tiles

if TYPE_CHECKING:
    import torch


class InternVLArgs(BaseModel):
    """Settings of the InternVL family, from a card's `args` and `--model-args`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system_message: str = Field(
        "template", description="`template`, `none` (the word None), `absent`, or the text itself"
    )
    max_tiles: int = Field(12, ge=1, description="Most tiles of an image, unless the task says")
    tile_limit: int | None = Field(
        None, ge=1, description="Most tiles of an image whatever the task says; null is no limit"
    )
    multi_image_budget: MultiImageBudget = Field(
        "divide", description="How several images share the tiles: divide, total64, each"
    )
    frames: int = Field(32, ge=1, description="Video frames, unless the task says")
    frame_sampling: Literal["centres", "linspace"] = "centres"
    frame_prefix: FramePrefix = "Frame"

    @property
    def style(self) -> Style:
        """How conversations are written."""
        return Style(self.system_message, self.frame_prefix)


@dataclass(frozen=True, slots=True)
class Pictured:
    """A prompt as turns and pictures: what every InternVL backend starts from."""

    turns: tuple[Turn, ...]
    pictures: tuple[PIL.Image.Image, ...]
    """RGB, in the order of the turns."""
    max_tiles: tuple[int, ...]
    """The most tiles of each picture; 1 for a video frame."""
    stills: tuple[PIL.Image.Image, ...]


def still_budget(
    prompt: Prompt, max_tiles: int, tile_limit: int | None, rule: MultiImageBudget
) -> int:
    """The most tiles of each image of a prompt: the task's limit, else the model's own, shared."""
    stills = sum(isinstance(part, Image) for part in prompt.parts())
    most = prompt.max_tiles or max_tiles
    if tile_limit is not None:
        most = min(most, tile_limit)
    return tile_budget(most, stills, rule) if stills else 1


def picture(prompt: Prompt, args: InternVLArgs) -> Pictured:
    """Read a prompt's images and video frames. Raises DataError.

    A video frame is one tile (InternVL3-1B README, `load_video(max_num=1)`).
    """
    budget = still_budget(prompt, args.max_tiles, args.tile_limit, args.multi_image_budget)
    turns: list[Turn] = []
    found: list[tuple[PIL.Image.Image, int, bool]] = []
    for message in prompt.messages:
        content: list[str | Picture] = []
        for part in message.parts:
            match part:
                case Text(text):
                    content.append(text)
                case Image(blob):
                    content.append(Picture())
                    found.append((media.image(blob), budget, True))
                case Video():
                    frames = media.FRAMES.frames(part, args.frames, args.frame_sampling)
                    named = part.label == "frame"
                    content += [Picture(k + 1 if named else None) for k in range(len(frames))]
                    found += [(frame, 1, False) for frame in frames]
        turns.append(Turn(message.role, tuple(content)))
    return Pictured(
        tuple(turns),
        tuple(image for image, _, _ in found),
        tuple(limit for _, limit, _ in found),
        tuple(image for image, _, still in found if still),
    )


@dataclass(frozen=True, slots=True)
class _Encoded:
    ids: list[int]
    tiles: Tiles | None


class InternVLEngine:
    """A loaded InternVL checkpoint with its settings."""

    def __init__(self, loaded: InternVL, args: InternVLArgs) -> None:
        self._loaded, self._args = loaded, args

    def prepare(self, prompt: Prompt) -> Request:
        """Read, cut and tokenise a prompt. Raises DataError."""
        pictured = picture(prompt, self._args)
        cut = [
            tiles(image, limit, self._loaded.tile_px)
            for image, limit in zip(pictured.pictures, pictured.max_tiles, strict=True)
        ]
        ids = self._loaded.vocabulary.encode(
            lay_out(pictured.turns, self._args.style),
            [len(t) for t in cut],
            self._loaded.tokens_per_tile,
        )
        sizes = tuple(image.size for image in pictured.stills)
        return Request(len(ids), sizes, _Encoded(ids, np.concatenate(cut) if cut else None))

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> list[Reply]:
        """Answer a batch, padded on the left."""
        import torch

        vocabulary = self._loaded.vocabulary
        pad = vocabulary.stops[1]
        inputs = self._inputs([request.payload for request in requests], pad)
        if decoding.temperature and decoding.seed is not None:
            torch.manual_seed(decoding.seed)
        with torch.inference_mode():
            out = self._loaded.model.generate(
                **inputs, generation_config=generation_config(decoding, vocabulary.stops, pad)
            )
        return [self._reply(row) for row in out[:, inputs["input_ids"].shape[1] :].tolist()]

    def _inputs(self, batch: list[_Encoded], pad: int) -> dict[str, torch.Tensor]:
        import torch

        device = self._loaded.model.device
        longest = max(len(item.ids) for item in batch)
        ids = [[pad] * (longest - len(item.ids)) + item.ids for item in batch]
        mask = [[0] * (longest - len(item.ids)) + [1] * len(item.ids) for item in batch]
        inputs = {
            "input_ids": torch.tensor(ids, device=device),
            "attention_mask": torch.tensor(mask, device=device),
        }
        if pixels := [item.tiles for item in batch if item.tiles is not None]:
            joined = torch.from_numpy(np.concatenate(pixels)).to(device)
            inputs["pixel_values"] = normalise(joined).to(self._loaded.model.dtype)
        return inputs

    def _reply(self, ids: list[int]) -> Reply:
        text, reason = self._loaded.vocabulary.decode(ids)
        stops = self._loaded.vocabulary.stops
        ended = next((k + 1 for k, token in enumerate(ids) if token in stops), len(ids))
        return Reply(text, reason, ended)
