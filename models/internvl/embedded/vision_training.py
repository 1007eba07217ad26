"""Lets a start model see: each image token learns to say what it covers, before any word is read.

Colour, shape and middle of the thing that most covers a token's patch are read off the projected
token by a small head that is left behind. The middle is read by likeness to the embeddings of the
integers, so that sight and speech share their numbers from the start.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from er_bench.models.internvl import tiling
from er_bench.scenes import COLOURS, SHAPES, Scene, draw, plural
from er_bench.scenes.training_conversations import permille, training_scene

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)

UNSCORED = -100
PEAK_LR, LAST_LR, WARMUP = 1.5e-3, 3e-4, 100
LEAST_SHARE = 0.25
"""A thing counts as covered by a patch from this share of the smaller of the two on."""


def covering(scene: Scene, side: int) -> NDArray[np.int64]:
    """`(side, side)`: the number of the thing that most covers each patch, -1 where none does."""
    w, h = scene.size_wh
    owner = np.full((side, side), -1, np.int64)
    most = np.zeros((side, side))
    columns_px, rows_px = np.linspace(0, w, side + 1), np.linspace(0, h, side + 1)
    for number, thing in enumerate(scene.things):
        x0, y0, x1, y1 = thing.box_px_xyxy
        over_x = np.minimum(columns_px[1:], x1) - np.maximum(columns_px[:-1], x0)
        over_y = np.minimum(rows_px[1:], y1) - np.maximum(rows_px[:-1], y0)
        share = over_y.clip(0)[:, None] * over_x.clip(0)[None]
        share /= min(w / side * h / side, (x1 - x0) * (y1 - y0))
        won = (share > most) & (share >= LEAST_SHARE)
        most, owner = np.where(won, share, most), np.where(won, number, owner)
    return owner


def covered(scene: Scene, side: int) -> NDArray[np.int64]:
    """`(side * side, 4)`: colour, shape, x and y in thousandths of what most covers each patch.

    Where nothing does, colour is `len(COLOURS)` and the rest `UNSCORED`.
    """
    (w, h), colours = scene.size_wh, list(COLOURS)
    looks = [(len(colours), UNSCORED, UNSCORED, UNSCORED)]
    for thing in scene.things:
        x, y = thing.centre_px_xy
        look = (colours.index(thing.colour), SHAPES.index(thing.shape))
        looks.append((*look, permille(x, w), permille(y, h)))
    return np.array(looks, np.int64)[covering(scene, side).reshape(-1) + 1]


def make_head(width: int) -> Any:
    """Reads colour, shape, x and y off a projected image token."""
    from torch import nn

    return nn.ModuleDict(
        {
            "norm": nn.LayerNorm(width),
            "colour": nn.Linear(width, len(COLOURS) + 1),
            "shape": nn.Linear(width, len(SHAPES)),
            "x": nn.Linear(width, width),
            "y": nn.Linear(width, width),
        }
    )


def sight_loss(
    head: Any, tokens_bnd: torch.Tensor, numbers_kd: torch.Tensor, goal_bn4: torch.Tensor
) -> torch.Tensor:
    """How badly image tokens say what they cover; `numbers_kd` are the integers' embeddings."""
    from torch.nn.functional import cross_entropy

    tokens, goal = head["norm"](tokens_bnd).flatten(0, 1), goal_bn4.flatten(0, 1)
    on = goal[:, 1] != UNSCORED
    held, wanted = tokens[on], goal[on]
    loss = cross_entropy(head["colour"](tokens).float(), goal[:, 0])
    loss = loss + cross_entropy(head["shape"](held).float(), wanted[:, 1])
    for column, axis in ((2, "x"), (3, "y")):
        likeness = (head[axis](held) @ numbers_kd.T).float()
        loss = loss + 0.5 * cross_entropy(likeness, wanted[:, column])
    return loss


def pixels(scenes: Sequence[Scene], tile_px: int) -> torch.Tensor:
    """The scenes' pictures as the model takes them, one tile each."""
    import torch

    cut = [tiling.tiles(draw(scene), 1, tile_px) for scene in scenes]
    return tiling.normalise(torch.from_numpy(np.concatenate(cut)))


def open_eyes(
    model: Any,
    integer_ids: Sequence[int],
    *,
    seed: int,
    steps: int = 1200,
    batch: int = 64,
) -> Any:
    """Train vision tower, projector and integers' embeddings on scenes from `seed` up.

    Returns the head.
    """
    import torch

    vision = model.config.vision_config
    tile_px, side = vision.image_size[0], vision.image_size[0] // vision.patch_size[0]
    head = make_head(model.config.text_config.hidden_size)
    learning = [*model.parameters(), *head.parameters()]
    optimizer = adamw(learning)
    for step in range(1, steps + 1):
        first = seed + (step - 1) * batch
        scenes = [training_scene(random.Random(k)) for k in range(first, first + batch)]
        goal = torch.from_numpy(np.stack([covered(scene, side) for scene in scenes]))
        rate = learning_rate(step, steps, PEAK_LR, LAST_LR, WARMUP)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = model.get_image_features(pixel_values=pixels(scenes, tile_px)).pooler_output
            numbers = model.get_input_embeddings().weight[list(integer_ids)]
            loss = sight_loss(head, tokens, numbers, goal)
        descend(optimizer, loss, rate)
        if step % 50 == 0:
            _log.info("vision: step %d of %d, loss %.3f", step, steps, loss.item())
    return head


def name_what_is_seen(model: Any, head: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    """Start words where sight put them, and attention as likeness.

    The embedding of each colour and shape becomes the direction by which the head tells it, and
    keys start as queries do: a word then already looks at what it names.
    """
    import torch

    words = model.get_input_embeddings().weight
    with torch.no_grad():
        deviation = words.std()
        for key, nouns in (("colour", tuple(COLOURS)), ("shape", SHAPES)):
            ways = head[key].weight[: len(nouns)] * head["norm"].weight
            for noun, way in zip(nouns, ways - ways.mean(0), strict=True):
                for form in (noun, f" {noun}", plural(noun), f" {plural(noun)}"):
                    ids = tokenizer(form, add_special_tokens=False).input_ids
                    if len(ids) == 1:
                        blur = 0.3 * torch.randn_like(way)
                        words[ids[0]] = (way / way.std() + blur) * deviation
        for layer in model.model.language_model.layers:
            layer.self_attn.k_proj.weight.copy_(layer.self_attn.q_proj.weight)


def adamw(learning: Sequence[torch.nn.Parameter]) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices alone."""
    import torch

    return torch.optim.AdamW(
        [
            {"params": [p for p in learning if p.ndim >= 2], "weight_decay": 0.02},
            {"params": [p for p in learning if p.ndim < 2], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.98),
    )


def descend(optimizer: torch.optim.AdamW, loss: torch.Tensor, rate: float) -> None:
    """One step down the loss, its gradient clipped to length 1."""
    import torch

    for group in optimizer.param_groups:
        group["lr"] = rate
    loss.backward()  # type: ignore[no-untyped-call]
    learning = [p for group in optimizer.param_groups for p in group["params"]]
    torch.nn.utils.clip_grad_norm_(learning, 1.0)
    optimizer.step()
    optimizer.zero_grad()


def learning_rate(step: int, steps: int, peak: float, last: float, warmup: int) -> float:
    """A linear rise over `warmup` steps, then a cosine from `peak` to `last`."""
    if step < warmup:
        return peak * step / warmup
    part = (step - warmup) / max(1, steps - warmup)
    return last + (peak - last) * (1 + math.cos(math.pi * part)) / 2
