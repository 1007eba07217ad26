from __future__ import annotations

from itertools import product
from typing import get_args

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from er_bench.models.internvl.tiling import (
    MultiImageBudget,
    grid,
    grids,
    normalise,
    tile_budget,
    tile_count,
    tiles,
)


def photo(width: int, height: int) -> PIL.Image.Image:
    draw = np.random.default_rng(width * 1000 + height)
    small = draw.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return PIL.Image.fromarray(small).resize((width, height))


def nearest_grid(width: int, height: int, max_tiles: int, tile_px: int) -> tuple[int, int]:
    """The rule as protocol pages state it: every candidate, by area, one after the other."""
    pairs = product(range(1, max_tiles + 1), repeat=2)
    candidates = sorted((p for p in pairs if p[0] * p[1] <= max_tiles), key=lambda p: p[0] * p[1])
    nearest = min(abs(width / height - i / j) for i, j in candidates)
    chosen = [p for p in candidates if abs(width / height - p[0] / p[1]) == nearest]
    best = chosen[0]
    for i, j in chosen[1:]:
        if width * height > 0.5 * tile_px**2 * i * j:
            best = (i, j)
    return best


@settings(deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([1, 6, 12, 24, 40]))
def test_grid_is_the_nearest(width: int, height: int, max_tiles: int) -> None:
    assert grid(width, height, max_tiles) == nearest_grid(width, height, max_tiles, 448)


@pytest.mark.parametrize("side", [100, 317, 318, 448, 634, 900, 2000])
def test_exact_ties_go_by_area(side: int) -> None:
    assert grid(side, side, 12) == nearest_grid(side, side, 12, 448)
    assert grid(2 * side, side, 12) == nearest_grid(2 * side, side, 12, 448)


def test_number_of_grids() -> None:
    assert len(grids(12)) == 35  # sum over areas 1..12 of their number of divisors
    assert grids(3) == ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1))
    with pytest.raises(ValueError, match="tile limits"):
        grids(0)


def test_counts_of_the_protocol_page() -> None:
    """protocols: 640x480 is 4x3 tiles and a thumbnail; 97x61 is enlarged to 6 tiles."""
    assert tile_count(640, 480, 12) == 13
    assert grid(97, 61, 12) == (3, 2)
    assert tile_count(640, 480, 1) == 1


@pytest.mark.parametrize("size", [(640, 480), (97, 61), (300, 301), (1600, 200)])
def test_tiles_are_crops_of_the_stretched_image(size: tuple[int, int]) -> None:
    image, px = photo(*size), 56
    columns, rows = grid(*size, 12, px)
    stretched = image.resize((columns * px, rows * px), PIL.Image.Resampling.BICUBIC)
    expected = [
        np.asarray(stretched.crop((c * px, r * px, (c + 1) * px, (r + 1) * px)))
        for r in range(rows)
        for c in range(columns)
    ]
    if len(expected) > 1:
        expected.append(np.asarray(image.resize((px, px), PIL.Image.Resampling.BICUBIC)))
    found = tiles(image, 12, px)
    assert len(found) == tile_count(*size, 12, px)
    assert np.array_equal(found, np.stack(expected))


def test_no_thumbnail_when_told() -> None:
    assert len(tiles(photo(640, 480), 12, 56, thumbnail=False)) == 12
    assert tile_count(640, 480, 12, thumbnail=False) == 12


def test_normalise_is_imagenet() -> None:
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    expected = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    found = normalise(torch.from_numpy(pixels))
    assert found.dtype == torch.float32
    assert np.allclose(found.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-6)


def test_equals_transformers_own_tiles() -> None:
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import (
        GotOcr2ImageProcessorPil,
    )

    processor = GotOcr2ImageProcessorPil(
        size={"height": 56, "width": 56},
        crop_to_patches=True,
        max_patches=12,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    image = photo(333, 777)
    theirs = processor(images=image, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(normalise(torch.from_numpy(tiles(image, 12, 56))), theirs)


@pytest.mark.parametrize(
    ("rule", "images", "expected"),
    [
        ("divide", 1, 12), ("divide", 2, 6), ("divide", 5, 2), ("divide", 30, 1),
        ("total64", 1, 12), ("total64", 4, 12), ("total64", 8, 8), ("total64", 100, 1),
        ("each", 8, 12),
    ],
)  # fmt: skip
def test_tile_budget(rule: MultiImageBudget, images: int, expected: int) -> None:
    assert rule in get_args(MultiImageBudget)
    assert tile_budget(12, images, rule) == expected
