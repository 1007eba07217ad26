"""Images to tiles, exactly as InternVL's released code cuts them.

Source: OpenGVLab/Vlaser, commit 40d7821, `Vlaser_VLM/eval/eval_example.py` and
`internvl/train/dataset.py` (`find_closest_aspect_ratio`, `dynamic_preprocess`). The image is
stretched to the grid that is nearest in aspect ratio, small images too; PIL's bicubic filter.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

EXACT_PIXELS = {"use_fast": False}
"""Asks transformers' processor, as vLLM's `mm_processor_kwargs`, to resize by PIL as is done here:
torchvision's pixels differ by one level of 255 in places."""

MultiImageBudget = Literal["divide", "total64", "each"]

Tiles = NDArray[np.uint8]
"""`(tiles, tile_px, tile_px, 3)`, RGB: the grid row by row, then the thumbnail."""


def tile_budget(max_tiles: int, images: int, rule: MultiImageBudget) -> int:
    """The most tiles that each of several images may have.

    `divide`: `max(1, max_tiles // n)`, as in training (`internvl/train/dataset.py`). `total64`:
    `max(1, min(max_tiles, 64 // n))` (lmms-eval commit 75571cfe, `internvl3.py`). `each`: no
    division.
    """
    if images <= 1 or rule == "each":
        return max_tiles
    return max(1, max_tiles // images if rule == "divide" else min(max_tiles, 64 // images))


@cache
def grids(max_tiles: int, min_tiles: int = 1) -> tuple[tuple[int, int], ...]:
    """Every `(columns, rows)` of `min_tiles` to `max_tiles` tiles, by number of tiles."""
    if not 1 <= min_tiles <= max_tiles:
        raise ValueError(f"tile limits must be 1 <= min <= max, found {min_tiles}, {max_tiles}")
    found = [
        (i, j)
        for i in range(1, max_tiles + 1)
        for j in range(-(-min_tiles // i), max_tiles // i + 1)
    ]
    return tuple(sorted(found, key=lambda grid: grid[0] * grid[1]))


def grid(
    width: int, height: int, max_tiles: int, tile_px: int = 448, min_tiles: int = 1
) -> tuple[int, int]:
    """`(columns, rows)` of the grid for an image.

    The nearest aspect ratio wins. Of equally near ones the smallest grid wins, unless the image
    has more than half of a larger one's pixels.
    """
    best, best_difference = (1, 1), float("inf")
    for columns, rows in grids(max_tiles, min_tiles):
        difference = abs(width / height - columns / rows)
        large_enough = width * height > 0.5 * tile_px * tile_px * columns * rows
        if difference < best_difference or (difference == best_difference and large_enough):
            best, best_difference = (columns, rows), difference
    return best


def tile_count(
    width: int, height: int, max_tiles: int, tile_px: int = 448, *, thumbnail: bool = True
) -> int:
    """How many tiles `tiles` makes of an image of this size."""
    columns, rows = grid(width, height, max_tiles, tile_px)
    n = columns * rows
    return n + 1 if thumbnail and n > 1 else n


def tiles(
    image: PIL.Image.Image, max_tiles: int, tile_px: int = 448, *, thumbnail: bool = True
) -> Tiles:
    """Cut an RGB image into `tile_count` tiles."""
    columns, rows = grid(image.width, image.height, max_tiles, tile_px)
    whole = np.array(image.resize((tile_px * columns, tile_px * rows)))
    cells = whole.reshape(rows, tile_px, columns, tile_px, 3).swapaxes(1, 2)
    cut = cells.reshape(rows * columns, tile_px, tile_px, 3)
    if thumbnail and len(cut) > 1:
        cut = np.concatenate([cut, np.asarray(image.resize((tile_px, tile_px)))[None]])
    return np.ascontiguousarray(cut)


def normalise(tiles_nhwc: torch.Tensor) -> torch.Tensor:
    """`(N, H, W, 3)` uint8 to `(N, 3, H, W)` float32 with ImageNet's mean and deviation."""
    import torch

    pixels = tiles_nhwc.permute(0, 3, 1, 2).contiguous().to(torch.float32).div_(255)
    mean = torch.tensor(IMAGENET_MEAN, device=pixels.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=pixels.device).view(3, 1, 1)
    return pixels.sub_(mean).div_(std)
