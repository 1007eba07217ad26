"""A record as the model is trained on it: token ids, labels, loss weights, tiles."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from er_bench.core.errors import DataError
from er_bench.data import media
from er_bench.data.rows import FileBlob
from er_bench.train.data.records import IMAGE, VIDEO, Record, Source
from er_bench.train.family import Codec, Encoded, Tiles

IGNORED = -100
"""Label of a token that is not learned (PyTorch's `ignore_index`)."""
JPEG_QUALITIES = (75, 100)
"""Lowest and highest quality of `data_augment` (Vlaser `internvl/train/dataset.py`)."""
Reduction = Literal["token", "sample", "square"]


@dataclass(frozen=True, slots=True)
class Size:
    """What a record costs, known without decoding an image."""

    tokens: int
    supervised: int
    tiles: int


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation, ready for a batch."""

    ids: NDArray[np.int64]
    """`(L,)`."""
    labels: NDArray[np.int64]
    """`(L,)`: the id itself where it is learned, else IGNORED; not shifted."""
    weights: NDArray[np.float32]
    """`(L,)`: the weight of the token's loss, 0 where it is not learned."""
    tiles: Tiles
    """All images' tiles in order."""


def token_weight(n_supervised: int, reduction: Reduction) -> float:
    """Weight of each of a sample's n supervised tokens: 1, 1/n or 1/sqrt(n)."""
    if reduction == "token" or n_supervised == 0:
        return float(n_supervised > 0)
    return 1 / n_supervised if reduction == "sample" else float(n_supervised**-0.5)


@dataclass(frozen=True)
class Reader:
    """Records to examples. The random part of a record depends on seed and place alone."""

    codec: Codec
    sequence_length: int
    max_tiles: int
    video_frames: tuple[int, int]
    reduction: Reduction
    seed: int

    def measure(self, source: Source, index: int) -> Size:
        """What a record will cost, from its text and the headers of its files.

        Raises DataError naming file and line for everything that can be seen by that.
        """
        record = source.record(index)
        if record.video is not None:
            tiles = [1] * self._n_frames(record, index)
        else:
            limit = self._tile_limit(source, record)
            with _blaming(record, "image"):
                sizes = [media.image_size(path) for path in record.images]
            tiles = [self.codec.tile_count(size, limit) for size in sizes]
        encoded = self._encode(record, tiles)
        return Size(len(encoded.ids), int(encoded.supervised.sum()), sum(tiles))

    def example(self, source: Source, index: int, place: int) -> Example:
        """A record as an example; `place` is its place in the whole run's stream of samples.

        Raises DataError naming file and line.
        """
        record, random = source.record(index), np.random.default_rng([self.seed, place])
        limit = 1 if record.video is not None else self._tile_limit(source, record)
        cut = [self.codec.tiles(image, limit) for image in self._images(record, index, random)]
        encoded = self._encode(record, [len(tiles) for tiles in cut])
        _, blank = self.codec.blank()
        tiles = np.concatenate(cut) if cut else blank[:0]
        if source.degrade and cut:
            tiles = degraded(tiles, random)
        return self.weighted(encoded, tiles)

    def weighted(self, encoded: Encoded, tiles: Tiles) -> Example:
        """Labels and loss weights of an encoded conversation."""
        ids = encoded.ids.astype(np.int64)
        weight = token_weight(int(encoded.supervised.sum()), self.reduction)
        return Example(
            ids,
            np.where(encoded.supervised, ids, IGNORED),
            np.where(encoded.supervised, weight, 0).astype(np.float32),
            tiles,
        )

    def _tile_limit(self, source: Source, record: Record) -> int:
        limit = source.max_tiles or self.max_tiles
        return max(1, limit // max(1, len(record.images)))

    def _n_frames(self, record: Record, index: int) -> int:
        """How many frames are taken: drawn once for a record, so that its length is known."""
        assert record.video is not None
        low, high = self.video_frames
        drawn = int(np.random.default_rng([self.seed, index]).integers(low, high + 1))
        return min(drawn, len(_span(record)))

    def _images(
        self, record: Record, index: int, random: np.random.Generator
    ) -> Sequence[PIL.Image.Image]:
        if record.video is None:
            with _blaming(record, "image"):
                return [media.image(FileBlob(path)) for path in record.images]
        span, n = _span(record), self._n_frames(record, index)
        edges = np.linspace(span.start, span.stop, n + 1).astype(int)
        wanted = [int(random.integers(a, b)) for a, b in pairwise(edges)]
        with _blaming(record, "video"):
            return media.frames_at(record.video, wanted)

    def _encode(self, record: Record, tiles: Sequence[int]) -> Encoded:
        turns = record.turns
        if record.video is not None:
            text = self.codec.frames_text(len(tiles))
            turns = tuple(
                replace(t, text=t.text.replace(VIDEO, text)) if t.role == "user" else t
                for t in turns
            )
            if sum(t.text.count(IMAGE) for t in turns if t.role == "user") != len(tiles):
                raise record.error(f"a question about a video has {IMAGE}", "conversations")
        encoded = self.codec.encode(turns, tiles)
        if len(encoded.ids) > self.sequence_length:
            found = f"{len(encoded.ids)} tokens, more than the {self.sequence_length} allowed"
            raise record.error(found, "conversations")
        return encoded


@contextmanager
def _blaming(record: Record, field: str) -> Iterator[None]:
    """An error of a media file as an error of the record that names it."""
    try:
        yield
    except DataError as error:
        raise record.error(str(error), field) from error


def _span(record: Record) -> range:
    """The frames of a video that a record is about."""
    assert record.video is not None
    with _blaming(record, "video"):
        total, rate = media.video_length(record.video)
    if record.clip_s is None:
        return range(total)
    first, stop = (min(int(t * rate), total) for t in record.clip_s)
    if first >= stop:
        raise record.error(f"no frame of the video's {total} lies in the clip", "clip")
    return range(first, stop)


def degraded(tiles: Tiles, random: np.random.Generator) -> Tiles:
    """Each tile through JPEG at a random quality."""
    low, high = JPEG_QUALITIES
    return np.stack([_jpeg(tile, int(random.integers(low, high + 1))) for tile in tiles])


def _jpeg(tile: Tiles, quality: int) -> Tiles:
    stream = io.BytesIO()
    PIL.Image.fromarray(tile).save(stream, format="JPEG", quality=quality)
    with PIL.Image.open(stream) as image:
        return np.asarray(image.convert("RGB"))
