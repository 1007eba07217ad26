"""The micro batches of a run as a data set: item k is micro batch k, read when it is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from er_bench.core.errors import DataError
from er_bench.train.data.batches import Batches
from er_bench.train.data.collate import Collator
from er_bench.train.data.examples import Example, Reader
from er_bench.train.data.mixture import Mixture

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class MicroBatches:
    """Random access to micro batches; safe to share between worker processes."""

    batches: Batches
    mixture: Mixture
    reader: Reader
    collator: Collator
    skipped: Path | None
    """Where records that fail only when their pixels are read are listed; None: they raise."""

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        rows = self.batches.micro_batch(number)
        return self.collator([self.examples(row) for row in rows])

    def examples(self, row: Sequence[int]) -> list[Example]:
        """The examples of one row. Raises DataError unless bad records are skipped."""
        found = []
        for place in row:
            number, index = self.mixture.entries[self.batches.sample_at[place]]
            source = self.mixture.sources[number]
            try:
                example = self.reader.example(source, int(index), place)
                self._same_length(example, place)
            except DataError as error:
                if self.skipped is None:
                    raise
                _append(self.skipped, {"place": int(place), "why": str(error)})
            else:
                found.append(example)
        return found

    def _same_length(self, example: Example, place: int) -> None:
        planned = int(self.batches.lengths[self.batches.sample_at[place]])
        if len(example.ids) != planned:
            number, index = self.mixture.entries[self.batches.sample_at[place]]
            source = self.mixture.sources[number]
            raise DataError(
                f"{len(example.ids)} tokens, but {planned} when the mixture was scanned: "
                "its files have changed since; put them back, or begin again: a run that begins "
                "looks at all records anew",
                file=source.annotation,
                row=int(source.lines[index]),
            )


def _append(file: Path, entry: dict[str, object]) -> None:
    """Add a line in one write, so that processes do not cut into each other's lines."""
    line = (json.dumps(entry, ensure_ascii=False) + "\n").encode()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
