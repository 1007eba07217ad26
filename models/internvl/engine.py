"""The InternVL family in this process: prompts to ids and tiles, batches to answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from er_bench.core.family import Reply, Request
from er_bench.core.prompt import Decoding, Prompt
from er_bench.data.media import FrameCache
from er_bench.models.generation import generation_config
from er_bench.models.internvl.conversation import render
from er_bench.models.internvl.load import InternVL
from er_bench.models.internvl.pictures import InternVLArgs, see, still_sizes
from er_bench.models.internvl.tiling import Tiles, normalise, tiles

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class _Encoded:
    ids: list[int]
    tiles: Tiles | None


class InternVLEngine:
    """A loaded InternVL checkpoint with its settings."""

    def __init__(self, loaded: InternVL, args: InternVLArgs) -> None:
        self._loaded, self._args, self._frames = loaded, args, FrameCache()

    def prepare(self, prompt: Prompt) -> Request:
        """Read, cut and tokenise a prompt. Raises DataError."""
        loaded, seen = self._loaded, see(prompt, self._args, self._frames)
        cut = [[tiles(p, s.max_tiles, loaded.tile_px) for p in s.pictures] for s in seen]
        tokens = [[len(t) * loaded.tokens_per_tile for t in medium] for medium in cut]
        ids = list(render(prompt.messages, tokens, loaded.vocabulary, self._args.style).ids)
        flat = [t for medium in cut for t in medium]
        payload = _Encoded(ids, np.concatenate(flat) if flat else None)
        return Request(len(ids), still_sizes(seen), payload)

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
