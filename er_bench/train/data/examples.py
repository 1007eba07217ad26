"""A record as the model is trained on it: token ids, labels, loss weights, pictures' features."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from er_bench.core.errors import DataError
from er_bench.core.family import Rendered
from er_bench.core.geometry import Size
from er_bench.core.message import media_parts
from er_bench.core.sample import Image, Video
from er_bench.data import media, video
from er_bench.train.data.records import Record, Source
from er_bench.train.family import Codec, Features, Limits, Pixels

IGNORED = -100
"""Label of a token that is not learned (PyTorch's `ignore_index`)."""
JPEG_QUALITIES = (75, 100)
"""Lowest and highest quality of `data_augment` (Vlaser `internvl/train/dataset.py`)."""
Reduction = Literal["token", "sample", "square"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a record costs in tokens, known without decoding an image."""

    tokens: int
    supervised: int
    media: int
    """Tokens of its pictures."""


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation, ready for a batch."""

    ids: NDArray[np.int64]
    """`(L,)`."""
    labels: NDArray[np.int64]
    """`(L,)`: the id itself where it is learned, else IGNORED; not shifted."""
    weights: NDArray[np.float32]
    """`(L,)`: the weight of the token's loss, 0 where it is not learned."""
    features: tuple[Features, ...]
    """Those of every picture, in order."""


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

    def measure(self, source: Source, index: int) -> Cost:
        """What a record will cost, from its text and the headers of its media.

        Raises DataError naming file and line for everything that can be seen by that.
        """
        record = source.record(index)
        tokens = [
            [self.codec.media_tokens(size, limits) for size in self._sizes(record, part, index)]
            for part, limits in self._media(source, record)
        ]
        rendered = self._encode(record, tokens)
        return Cost(len(rendered.ids), sum(rendered.supervised), sum(map(sum, tokens)))

    def example(self, source: Source, index: int, place: int) -> Example:
        """A record as an example; `place` is its place in the whole run's stream of samples.

        Raises DataError naming file and line.
        """
        record, random = source.record(index), np.random.default_rng([self.seed, place])
        jpeg = partial(degraded, random=random) if source.degrade else None
        found = [
            [self.codec.features(p, limits, jpeg) for p in self._read(record, part, index, random)]
            for part, limits in self._media(source, record)
        ]
        rendered = self._encode(record, [[f.tokens for f in features] for features in found])
        return self.weighted(rendered, [f for features in found for f in features])

    def weighted(self, rendered: Rendered, features: Sequence[Features]) -> Example:
        """Labels and loss weights of a rendered conversation."""
        ids, supervised = np.array(rendered.ids, np.int64), np.array(rendered.supervised, bool)
        weight = token_weight(int(supervised.sum()), self.reduction)
        return Example(
            ids,
            np.where(supervised, ids, IGNORED),
            np.where(supervised, weight, 0).astype(np.float32),
            tuple(features),
        )

    def _media(self, source: Source, record: Record) -> Iterator[tuple[Image | Video, Limits]]:
        """A record's images and videos, and what each of their pictures may cost."""
        found = list(media_parts(record.messages))
        images = sum(isinstance(part, Image) for part in found)
        for part in found:
            limit = source.max_tiles or self.max_tiles
            yield part, Limits(limit, images, is_frame=isinstance(part, Video))

    def _n_frames(self, span: range, index: int) -> int:
        """How many frames are taken: drawn once for a record, so that its length is known."""
        low, high = self.video_frames
        drawn = int(np.random.default_rng([self.seed, index]).integers(low, high + 1))
        return min(drawn, len(span))

    def _sizes(self, record: Record, part: Image | Video, index: int) -> list[Size]:
        """`(width, height)` of each picture of an image or video, from the header of its file."""
        with _blaming(record, part):
            if isinstance(part, Image):
                return [media.image_size(part.blob)]
            total, fps, size_wh = video.video_header(part.path)
            return [size_wh] * self._n_frames(video.span(part, total, fps), index)

    def _read(
        self, record: Record, part: Image | Video, index: int, random: np.random.Generator
    ) -> list[PIL.Image.Image]:
        """Its pictures: one frame of a video from each of as many equal parts."""
        with _blaming(record, part):
            if isinstance(part, Image):
                return [media.image(part.blob)]
            total, fps, _ = video.video_header(part.path)
            span = video.span(part, total, fps)
            edges = np.linspace(span.start, span.stop, self._n_frames(span, index) + 1).astype(int)
            wanted = [int(random.integers(a, b)) for a, b in pairwise(edges)]
            return video.frames_at(part.path, wanted)

    def _encode(self, record: Record, tokens: Sequence[Sequence[int]]) -> Rendered:
        rendered = self.codec.encode(record.messages, tokens)
        if len(rendered.ids) > self.sequence_length:
            found = f"{len(rendered.ids)} tokens, more than the {self.sequence_length} allowed"
            raise record.error(found, "conversations")
        return rendered


@contextmanager
def _blaming(record: Record, part: Image | Video) -> Iterator[None]:
    """An error of a media file as an error of the record that names it."""
    try:
        yield
    except DataError as error:
        field = "image" if isinstance(part, Image) else "video"
        raise record.error(str(error), field) from error


def degraded(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """A picture through JPEG at a random quality."""
    low, high = JPEG_QUALITIES
    stream = io.BytesIO()
    quality = int(random.integers(low, high + 1))
    PIL.Image.fromarray(pixels).save(stream, format="JPEG", quality=quality)
    with PIL.Image.open(stream) as image:
        return np.asarray(image.convert("RGB"))
