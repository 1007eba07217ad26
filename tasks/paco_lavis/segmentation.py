"""Run-length masks, as COCO writes them, and masks as polygons that draw back exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from er_bench.core.geometry import Mask


def decode_rle(rle: Mapping[str, Any]) -> Mask:
    """A COCO run-length mask, `(H, W)` bool; `counts` is a list or COCO's compressed text.

    Runs go down the columns, the first of zeros (cocoapi `common/maskApi.c`, `rleDecode` and
    `rleFrString`).

    Raises:
        ValueError: the runs do not fill the mask.
    """
    h, w = (int(n) for n in rle["size"])
    counts = rle["counts"]
    runs = decode_counts(counts) if isinstance(counts, (str, bytes)) else [int(n) for n in counts]
    if min(runs, default=0) < 0 or sum(runs) != h * w:
        raise ValueError(f"runs of {sum(runs)} pixels for a mask of {h}x{w}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((w, h)).T


def decode_counts(text: str | bytes) -> list[int]:
    """COCO's compressed counts: five bits a character, differences from the run before last."""
    data = text.encode("ascii") if isinstance(text, str) else text
    runs: list[int] = []
    at = 0
    while at < len(data):
        value = shift = 0
        more = True
        while more:
            bits = data[at] - 48
            value |= (bits & 0x1F) << shift
            more, shift, at = bool(bits & 0x20), shift + 5, at + 1
            if not more and bits & 0x10:
                value |= -1 << shift
            if more and at == len(data):
                raise ValueError("the compressed counts break off")
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs


def rectangles(mask_hw: Mask) -> list[list[int]]:
    """A mask as rectangles `[x1, y1, x2, y1, x2, y2, x1, y2]`, corners included.

    Filled with their outline, as the released script does, they give the mask back to the pixel,
    which a traced contour would not.
    """
    done: list[list[int]] = []
    open_runs: dict[tuple[int, int], int] = {}
    for y in range(mask_hw.shape[0] + 1):
        runs = _runs(mask_hw[y]) if y < mask_hw.shape[0] else []
        for run in [run for run in open_runs if run not in runs]:
            done.append(_corners(run, open_runs.pop(run), y - 1))
        for run in runs:
            open_runs.setdefault(run, y)
    return done


def _runs(row: Sequence[bool] | Mask) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(row, dtype=np.int8), [0]])))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def _corners(run: tuple[int, int], top: int, bottom: int) -> list[int]:
    left, right = run
    return [left, top, right, top, right, bottom, left, bottom]
