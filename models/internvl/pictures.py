"""What an InternVL model sees of a prompt: its settings, and the pictures that they let through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import PIL.Image
from pydantic import BaseModel, ConfigDict, Field

from er_bench.core.geometry import Size
from er_bench.core.message import media_parts
from er_bench.core.prompt import Prompt
from er_bench.core.sample import Image
from er_bench.data.media import FrameCache
from er_bench.models.checkpoint import Config
from er_bench.models.internvl.config import own_system_message
from er_bench.models.internvl.conversation import FramePrefix, Style
from er_bench.models.internvl.tiling import MultiImageBudget, tile_budget


class InternVLArgs(BaseModel):
    """Settings of the InternVL family, from a card's `args` and `--model-args`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system_message: str = Field(
        "template",
        description="`template`, `none` (the word None), `absent`, or the text itself; where it is "
        "not given, a text in the checkpoint's config.json counts",
    )
    max_tiles: int = Field(
        12, ge=1, le=1024, description="Most tiles of an image, unless the task says"
    )
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

    def of_checkpoint(self, config: Config) -> InternVLArgs:
        """With the checkpoint's own system message, unless the settings name one."""
        if "system_message" in self.model_fields_set:
            return self
        return self.model_copy(update={"system_message": own_system_message(config)})


@dataclass(frozen=True, slots=True)
class Seen:
    """One image or video of a prompt, decoded."""

    pictures: tuple[PIL.Image.Image, ...]
    """RGB: the image, or the video's frames."""
    max_tiles: int
    """The most tiles of each picture."""
    is_still: bool


def still_budget(
    prompt: Prompt, max_tiles: int, tile_limit: int | None, rule: MultiImageBudget
) -> int:
    """The most tiles of each image of a prompt: the task's limit, else the model's own, shared."""
    stills = sum(isinstance(part, Image) for part in prompt.parts())
    most = prompt.max_tiles or max_tiles
    if tile_limit is not None:
        most = min(most, tile_limit)
    return tile_budget(most, stills, rule) if stills else 1


def see(prompt: Prompt, args: InternVLArgs, frames: FrameCache) -> list[Seen]:
    """Decode a prompt's images and video frames. Raises DataError.

    A video frame is one tile (InternVL3-1B README, `load_video(max_num=1)`).
    """
    budget = still_budget(prompt, args.max_tiles, args.tile_limit, args.multi_image_budget)
    found = []
    for part in media_parts(prompt.messages):
        still = isinstance(part, Image)
        decoded = frames.pictures(part, args.frames, args.frame_sampling)
        found.append(Seen(tuple(decoded), budget if still else 1, still))
    return found


def still_sizes(seen: list[Seen]) -> tuple[Size, ...]:
    """`(width, height)` of each still image."""
    return tuple(p.size for medium in seen if medium.is_still for p in medium.pictures)
