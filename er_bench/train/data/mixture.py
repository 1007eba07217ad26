"""The mixture: all data sets together, what one pass over them holds, and its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from er_bench.core.errors import DataError
from er_bench.train.data.examples import Reader
from er_bench.train.data.records import Source, read_meta
from er_bench.train.data.scan import Scan, refuse, scan


@dataclass(frozen=True, slots=True)
class Share:
    """One data set's part of a pass, for the table."""

    name: str
    records: int
    bad: int
    repeat_time: float
    samples: int
    tokens: int
    supervised: int
    media: int


@dataclass(frozen=True)
class Mixture:
    """Data sets and what their records cost."""

    sources: Sequence[Source]
    scans: Sequence[Scan]

    @cached_property
    def entries(self) -> NDArray[np.int64]:
        """`(M, 2)`: data set and record of every sample of one pass, bad ones left out."""
        parts = []
        for number, (source, found) in enumerate(zip(self.sources, self.scans, strict=True)):
            records = source.entries()
            records = records[found.sizes[records, 0] > 0]
            parts.append(np.stack([np.full(len(records), number), records], axis=1))
        return np.concatenate(parts)

    @cached_property
    def sizes(self) -> NDArray[np.int32]:
        """`(M, 3)`: the `Cost` of every sample of one pass."""
        return np.concatenate(
            [
                found.sizes[self.entries[self.entries[:, 0] == number, 1]]
                for number, found in enumerate(self.scans)
            ]
        )

    @property
    def has_images(self) -> bool:
        """Whether any sample has an image or a video."""
        return bool(self.sizes[:, 2].any())

    def bad(self) -> list[str]:
        """What is wrong with each bad record."""
        return [why for found in self.scans for why in found.bad.values()]

    def shares(self) -> list[Share]:
        """Each data set's part of a pass."""
        shares = []
        for number, (source, found) in enumerate(zip(self.sources, self.scans, strict=True)):
            sizes = self.sizes[self.entries[:, 0] == number].astype(np.int64).sum(axis=0)
            samples = int((self.entries[:, 0] == number).sum())
            shares.append(
                Share(
                    source.name,
                    len(found.sizes),
                    len(found.bad),
                    source.repeat_time,
                    samples,
                    *(int(total) for total in sizes),
                )
            )
        return shares


def read_mixture(
    meta: Path,
    reader: Reader,
    *,
    workers: int,
    cache: Path,
    skip_bad: bool,
    advance: Callable[[int], None] = lambda n: None,
    anew: bool = False,
) -> Mixture:
    """The mixture of a meta JSON, every record looked at; `anew` passes over what `cache` holds.

    Raises DataError for a wrong meta file, for bad records unless `skip_bad`, and when no
    record is left.
    """
    sources = read_meta(meta)
    scans = [
        scan(source, reader, workers=workers, cache=cache, advance=advance, anew=anew)
        for source in sources
    ]
    mixture = Mixture(sources, scans)
    if not skip_bad:
        refuse(mixture.bad())
    if not len(mixture.entries):
        raise DataError("the mixture has no usable record", file=meta)
    return mixture
