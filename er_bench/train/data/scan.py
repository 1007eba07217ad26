"""Look at every record once before training: its length, or what is wrong with it."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from er_bench.core.errors import DataError
from er_bench.core.paths import resolved
from er_bench.data.files import safe_name, writing
from er_bench.train.data.examples import Cost, Reader
from er_bench.train.data.records import Source

CHUNK = 512
SHOWN = 20
"""Bad records that one message names."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What every record of one data set costs."""

    sizes: NDArray[np.int32]
    """`(n, 3)`: the fields of `Cost`; all 0 for a bad record."""
    bad: dict[int, str]
    """Record index to what is wrong with it, file and line named."""


def scan(
    source: Source,
    reader: Reader,
    *,
    workers: int,
    cache: Path,
    advance: Callable[[int], None],
    anew: bool = False,
) -> Scan:
    """Measure every record of a data set that a pass uses.

    The result is kept in `cache` under a name made of all that decides it: file, settings,
    tokenizer. Images are trusted not to have changed size since; records that were bad are looked
    at again, since a picture of theirs may have been mended. With `anew` what was kept is not
    looked at. `advance` hears how many records have been looked at.
    """
    n = min(len(source.offsets), int(len(source.offsets) * source.repeat_time))
    file = cache / f"{safe_name(source.name)}-{_identity(source, reader, n)}.npz"
    kept = None if anew else _load(file, n)
    if kept is not None:
        advance(n)
        return _mended(kept, source, reader, file)
    chunks = [range(k, min(k + CHUNK, n)) for k in range(0, n, CHUNK)]
    sizes, bad = np.zeros((n, 3), np.int32), dict[int, str]()
    for chunk, (part, faults) in zip(chunks, _measured(source, reader, chunks, workers)):  # noqa: B905
        sizes[chunk.start : chunk.stop] = part
        bad |= faults
        advance(len(chunk))
    found = Scan(sizes, bad)
    _save(found, file)
    return found


def _mended(found: Scan, source: Source, reader: Reader, file: Path) -> Scan:
    """What was found, its bad records looked at once more."""
    sizes, bad = found.sizes, dict(found.bad)
    for index in found.bad:
        part, faults = measure_chunk(source, reader, range(index, index + 1))
        sizes[index] = part[0]
        if faults:
            bad |= faults
        else:
            del bad[index]
    if bad != found.bad:
        found = Scan(sizes, bad)
        _save(found, file)
    return found


def _measured(
    source: Source, reader: Reader, chunks: Sequence[range], workers: int
) -> Iterator[tuple[NDArray[np.int32], dict[int, str]]]:
    work = partial(measure_chunk, source, reader)
    if workers < 2 or len(chunks) < 2:
        yield from map(work, chunks)
        return
    # A fresh interpreter for each worker: forking after torch has started threads can hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, chunks)


def measure_chunk(
    source: Source, reader: Reader, chunk: range
) -> tuple[NDArray[np.int32], dict[int, str]]:
    """Sizes `(len(chunk), 3)` and faults of some records."""
    sizes, bad = np.zeros((len(chunk), 3), np.int32), dict[int, str]()
    for row, index in enumerate(chunk):
        try:
            cost = reader.measure(source, index)
        except DataError as error:
            bad[index] = str(error)
        else:
            sizes[row] = astuple(cost)
    return sizes, bad


def refuse(bad: Sequence[str]) -> None:
    """Raise DataError that names the bad records, if there are any."""
    if bad:
        more = f"\n  ... and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        listed = "\n  ".join(bad[:SHOWN])
        raise DataError(
            f"{len(bad)} bad records; mend them or leave them out with --skip-bad:"
            f"\n  {listed}{more}"
        )


def _identity(source: Source, reader: Reader, n: int) -> str:
    parts = [
        source.digest,
        str(resolved(source.annotation)),
        str(resolved(source.root)),
        source.unread,
        source.max_tiles or reader.max_tiles,
        reader.sequence_length,
        reader.video_frames,
        reader.seed,
        reader.codec.identity(),
        [field.name for field in fields(Cost)],
        n,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _save(found: Scan, file: Path) -> None:
    with writing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        half = file.with_suffix(f".{os.getpid()}.tmp")
        with half.open("wb") as stream:
            np.savez_compressed(stream, sizes=found.sizes, bad=json.dumps(list(found.bad.items())))
        half.replace(file)


def _load(file: Path, n: int) -> Scan | None:
    """What was found before; None where there is nothing whole."""
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            sizes = stored["sizes"]
            bad = {int(index): str(why) for index, why in json.loads(str(stored["bad"]))}
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError,
            zipfile.BadZipFile, zlib.error):  # fmt: skip
        return None
    whole = sizes.shape == (n, len(fields(Cost))) and sizes.dtype == np.int32
    return Scan(sizes, bad) if whole and all(0 <= index < n for index in bad) else None
