"""Examples to tensors: one sample a row with a true padding mask, or several packed in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from er_bench.train.data.examples import IGNORED, Example

if TYPE_CHECKING:
    from torch import Tensor

MEDIA = "media."
"""Begins the names of the features' arrays in a batch."""


@dataclass(frozen=True, slots=True)
class Collator:
    """Rows of examples to the tensors of one micro batch.

    Not packed: `attention_mask` is 1 on tokens and 0 on padding, by length and not by id
    (the released collator takes every id 0, which is `!`, for padding). Packed: `position_ids`
    start again at each sample, and the padding counts as a sample of its own; attention stays
    inside a sample because transformers reads the borders off the positions, or is told them
    (`variable_length`, flash attention).
    """

    pad_id: int
    packed: bool
    variable_length: bool
    """Lay all rows end to end without padding, and give flash attention the borders."""
    blank: Example | None
    """Added, as a sample nobody learns from, to a micro batch without pictures, so that every rank
    runs the vision tower in every step. None: the mixture has no pictures at all."""

    def __call__(self, rows: Sequence[Sequence[Example]]) -> dict[str, Tensor]:
        """The tensors: `(B, L)` each, and the features' under `MEDIA` and their names."""
        rows = [list(row) for row in rows if row]
        if self.blank and not any(e.features for row in rows for e in row):
            rows = [*rows[:-1], [*rows[-1], self.blank]] if self.packed and rows else [*rows]
            if not self.packed or not rows:
                rows.append([self.blank])
        if self.variable_length:
            rows = [[example for row in rows for example in row]]
        length = max(sum(len(e.ids) for e in row) for row in rows)
        batch = {
            "input_ids": self._filled(rows, length, "ids", self.pad_id),
            "labels": self._filled(rows, length, "labels", IGNORED),
            "loss_weights": self._filled(rows, length, "weights", 0),
        }
        return _tensors(batch | self._borders(rows, length) | _media(rows))

    def _filled(
        self, rows: Sequence[Sequence[Example]], length: int, name: str, fill: int
    ) -> NDArray[np.generic]:
        joined = [np.concatenate([getattr(e, name) for e in row]) for row in rows]
        return np.stack([np.pad(j, (0, length - len(j)), constant_values=fill) for j in joined])

    def _borders(
        self, rows: Sequence[Sequence[Example]], length: int
    ) -> dict[str, NDArray[np.generic]]:
        lengths = [[len(e.ids) for e in row] for row in rows]
        if not self.packed:
            return {"attention_mask": np.stack([_mask(sum(n), length) for n in lengths])}
        padded = [n + [length - sum(n)] * (sum(n) < length) for n in lengths]
        positions = np.stack([np.concatenate([np.arange(k) for k in n]) for n in padded])
        if not self.variable_length:
            return {"position_ids": positions}
        ends = np.cumsum([0, *lengths[0]]).astype(np.int32)
        return {"position_ids": positions, "cu_seq_lens": ends}


def _mask(n: int, length: int) -> NDArray[np.int64]:
    return (np.arange(length) < n).astype(np.int64)


def _media(rows: Sequence[Sequence[Example]]) -> dict[str, NDArray[np.generic]]:
    found = [features.arrays for row in rows for e in row for features in e.features]
    names = found[0] if found else ()
    return {MEDIA + name: np.concatenate([arrays[name] for arrays in found]) for name in names}


def _tensors(batch: dict[str, NDArray[np.generic]]) -> dict[str, Tensor]:
    import torch

    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in batch.items()}
