"""The InternVL family as `er_bench.train` sees it: conversations, tiles, checkpoints, presets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import PIL.Image
import yaml

from er_bench.core.errors import ConfigError
from er_bench.core.geometry import Size
from er_bench.core.model import Model, ModelSettings
from er_bench.models.checkpoint import read_config, snapshot
from er_bench.models.internvl import tiling
from er_bench.models.internvl.checkpoint_files import share_weights, write_native_sides
from er_bench.models.internvl.config import image_seq_length, is_original, native_config
from er_bench.models.internvl.engine import InternVLArgs, InternVLEngine
from er_bench.models.internvl.load import InternVL, load, read_tokenizer
from er_bench.models.internvl.prompt import Control, Piece, Slot, Style, Vocabulary
from er_bench.models.settings import DeviceArgs, parse_args
from er_bench.models.transformers import TransformersModel
from er_bench.train.family import Codec, Encoded, Part, Turn

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

IMAGE = "<image>"
_START, _END = Control("<|im_start|>"), Control("<|im_end|>")


@dataclass(frozen=True)
class InternVLCodec:
    """Tokens and tiles of one checkpoint.

    Conversations are the template's (`internvl2_5`); the answer and its `<|im_end|>` are
    supervised, the line break after it is not (OpenGVLab/Vlaser commit 40d7821,
    `internvl/train/dataset.py`, `preprocess_internvl2_5`). Unlike there, a control token that a
    record's text spells out stays text.
    """

    tokenizer: PreTrainedTokenizerBase
    style: Style
    tile_px: int
    tile_tokens: int

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Token ids by name."""
        return Vocabulary(self.tokenizer)

    @property
    def pad_id(self) -> int:
        """The id that fills rows up."""
        return self.vocabulary.stops[1]

    def tile_count(self, size: Size, max_tiles: int) -> int:
        """How many tiles an image of `size` (width, height) is cut into, thumbnail included."""
        return tiling.tile_count(*size, max_tiles, self.tile_px)

    def tiles(self, image: PIL.Image.Image, max_tiles: int) -> tiling.Tiles:
        """The tiles of an RGB image."""
        return tiling.tiles(image, max_tiles, self.tile_px)

    def pixels(self, tiles: torch.Tensor) -> torch.Tensor:
        """Tiles `(N, S, S, 3)` uint8 as the model takes them, `(N, 3, S, S)` float32."""
        return tiling.normalise(tiles)

    def frames_text(self, n: int) -> str:
        """`Frame-1: <image>` and so on, a line each, as in the released `video_get_item`."""
        prefix = self.style.frame_prefix
        return "\n".join(f"{prefix}{k + 1}: {IMAGE}" for k in range(n))

    def encode(self, turns: Sequence[Turn], tiles: Sequence[int]) -> Encoded:
        """Token ids of a conversation whose images have so many tiles each."""
        ids: list[int] = []
        supervised: list[bool] = []
        for piece, learned in self._pieces(turns):
            new = self.vocabulary.encode([piece], tiles, self.tile_tokens)
            ids += new
            supervised += [learned] * len(new)
        return Encoded(np.array(ids, np.int32), np.array(supervised, bool))

    def _pieces(self, turns: Sequence[Turn]) -> Iterator[tuple[Piece, bool]]:
        system, slot = self.style.system_text(), 0
        if system is not None and turns[0].role != "system":
            turns = [Turn("system", system), *turns]
        for turn in turns:
            answer = turn.role == "assistant"
            yield _START, False
            # A question is tokenised together with its role, an answer apart from it: so that
            # the model is asked in training just as it is when it answers.
            parts = turn.text.split(IMAGE) if turn.role == "user" else [turn.text]
            head = f"{turn.role}\n"
            yield (head, False) if answer else (head + parts[0], False)
            if answer:
                yield parts[0], True
            for part in parts[1:]:
                yield Slot(slot), False
                yield part, False
                slot += 1
            yield _END, answer
            yield "\n", False

    def blank(self) -> tuple[Encoded, tiling.Tiles]:
        """One white tile and nothing else."""
        ids = self.vocabulary.encode([Slot(0)], [1], self.tile_tokens)
        white = np.full((1, self.tile_px, self.tile_px, 3), 255, np.uint8)
        return Encoded(np.array(ids, np.int32), np.zeros(len(ids), bool)), white

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens kept."""
        text = self.tokenizer.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return str(text)

    def identity(self) -> str:
        """A digest of vocabulary, style and tile size."""
        vocabulary = hashlib.sha256(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        style = [self.style.system_message, self.style.frame_prefix]
        parts = [vocabulary.hexdigest(), *style, self.tile_px, self.tile_tokens]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class InternVLFamily:
    """Checkpoints of either layout in; native folders out."""

    @cached_property
    def presets(self) -> Mapping[str, Mapping[str, Any]]:
        """The named settings of `presets.yaml`."""
        found = yaml.safe_load((Path(__file__).parent / "presets.yaml").read_text("utf-8"))
        assert isinstance(found, dict)
        return found

    def folder(self, checkpoint: str, revision: str | None) -> Path:
        """The folder of a checkpoint, fetched from the hub where it is an id."""
        return snapshot(checkpoint, revision)

    def codec(self, folder: Path, *, system_message: str | None) -> InternVLCodec:
        """Tokenizer and tiling of a checkpoint, without its weights."""
        config = read_config(folder)
        try:
            tile_px, tokens = _tile(config)
        except (KeyError, TypeError) as error:
            raise ConfigError(f"{folder}: the config says nothing of tiles: {error!r}") from error
        style = Style(system_message or "template", "Frame-")
        return InternVLCodec(read_tokenizer(folder, config), style, tile_px, tokens)

    def load(
        self, folder: Path, *, dtype: torch.dtype, attention: str, empty: bool = False
    ) -> PreTrainedModel:
        """The model, or its shapes alone."""
        if empty:
            return _empty(folder)
        model: PreTrainedModel = load(folder, dtype=dtype, attention=attention).model
        return model

    def part(self, parameter: str) -> Part:
        """Which part of the model a parameter belongs to."""
        if parameter.startswith("model.vision_tower."):
            return "vision"
        if parameter.startswith("model.multi_modal_projector."):
            return "projector"
        return "language"

    def save(
        self,
        model: PreTrainedModel,
        state: Mapping[str, torch.Tensor],
        codec: Codec,
        out: Path,
        *,
        max_tiles: int,
    ) -> None:
        """Write a native folder, as `er-bench convert` does.

        Dynamic RoPE scaling is dropped: transformers applies it only beyond the trained length,
        vLLM before the fix of PR 41277 at every length.
        """
        assert isinstance(codec, InternVLCodec)
        model.save_pretrained(out, state_dict=dict(state))
        config = model.config.to_dict()
        config["dtype"] = str(next(iter(state.values())).dtype).removeprefix("torch.")
        theta = config["text_config"]["rope_parameters"]["rope_theta"]
        config["text_config"]["rope_parameters"] = {"rope_type": "default", "rope_theta": theta}
        style = codec.style.system_message
        write_native_sides(out, config, codec.tokenizer, style, max_tiles)
        share_weights(out)

    def live(self, model: PreTrainedModel, codec: Codec, settings: ModelSettings) -> Model:
        """The model under training, asked through the same code as any checkpoint."""
        assert isinstance(codec, InternVLCodec)
        _, args = parse_args(settings.args, DeviceArgs, InternVLArgs)
        if "system_message" not in settings.args:
            args = args.model_copy(update={"system_message": codec.style.system_message})
        loaded = InternVL(cast(Any, model), codec.tokenizer)
        return TransformersModel(settings, InternVLEngine(loaded, args))


def _empty(folder: Path) -> PreTrainedModel:
    import torch
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    config = read_config(folder)
    if is_original(config):
        vocabulary = Vocabulary(read_tokenizer(folder, config))
        end, pad = vocabulary.stops
        image = vocabulary.id("<IMG_CONTEXT>")
        config = native_config(config, image_token_id=image, eos_token_id=end, pad_token_id=pad)
    with torch.device("meta"):
        model: PreTrainedModel = InternVLForConditionalGeneration(InternVLConfig(**config))
    return model


def _tile(config: Mapping[str, Any]) -> tuple[int, int]:
    """Pixels of a tile's side, and its tokens."""
    if is_original(config):
        side = config.get("force_image_size") or config["vision_config"]["image_size"]
        ratio = config.get("downsample_ratio", 0.5)
        return side, image_seq_length(side, config["vision_config"]["patch_size"], ratio)
    side = config["vision_config"]["image_size"]
    return int(side[0] if isinstance(side, list) else side), int(config["image_seq_length"])


FAMILY = InternVLFamily()
