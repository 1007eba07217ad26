"""InternVL prompts for an engine that takes token ids and makes pictures' tokens itself: vLLM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import PIL.Image

from er_bench.core.errors import ConfigError
from er_bench.core.family import TokenPrompt
from er_bench.core.prompt import Prompt
from er_bench.data.media import FrameCache
from er_bench.models.checkpoint import read_config
from er_bench.models.internvl.config import is_original, tile_shape
from er_bench.models.internvl.conversation import render
from er_bench.models.internvl.load import read_checked, read_tokenizer
from er_bench.models.internvl.pictures import InternVLArgs, see, still_sizes
from er_bench.models.internvl.tiling import EXACT_PIXELS
from er_bench.models.internvl.vocabulary import Vocabulary


@dataclass(frozen=True)
class InternVLTokenWriter:
    """One checkpoint's token ids and tile size, with the settings of asking."""

    vocabulary: Vocabulary
    tile_px: int
    args: InternVLArgs
    frames: FrameCache = field(default_factory=FrameCache)

    @property
    def stops(self) -> Sequence[int]:
        """The ids that end an answer."""
        return self.vocabulary.stops

    def write(self, prompt: Prompt) -> TokenPrompt:
        """Read the media and tokenise. Raises DataError."""
        seen = see(prompt, self.args, self.frames)
        one_each = [[1] * len(medium.pictures) for medium in seen]
        rendered = render(prompt.messages, one_each, self.vocabulary, self.args.style)
        most = max((medium.max_tiles for medium in seen), default=1)
        images = [
            image if medium.max_tiles > 1 else one_tile(image, self.tile_px)
            for medium in seen
            for image in medium.pictures
        ]
        return TokenPrompt(
            rendered.filled([self.vocabulary.id("<IMG_CONTEXT>")]),
            images,
            {"max_patches": most, **EXACT_PIXELS},
            still_sizes(seen),
        )

    def read(self, ids: Sequence[int]) -> tuple[str, str]:
        """The answer's text and its finish reason, `stop` or `length`."""
        return self.vocabulary.decode(ids)


def open_token_writer(folder: Path, args: InternVLArgs) -> InternVLTokenWriter:
    """The token writer of a native folder. Raises ConfigError for the original layout."""
    if is_original(read_config(folder)):
        raise ConfigError(
            f"{folder}: vLLM needs remote code for the original InternVLChat layout. Convert it "
            "first: er-bench convert --model ID_OR_DIR --out DIR, then run vllm/DIR "
            "(a card: --backend vllm --model-args checkpoint=DIR)"
        )
    config = read_checked(folder)
    vocabulary = Vocabulary(read_tokenizer(folder, config))
    return InternVLTokenWriter(vocabulary, tile_shape(config)[0], args.of_checkpoint(config))


def one_tile(image: PIL.Image.Image, tile_px: int) -> PIL.Image.Image:
    """An image that may have one tile only, made it here: vLLM has one limit for a request."""
    return image.resize((tile_px, tile_px))
