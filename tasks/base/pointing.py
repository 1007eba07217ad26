"""The base of tasks that ask for points or boxes in one image, and the masks that judge them."""

from __future__ import annotations

import json
import threading
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from er_bench.core.answer import Answer, Boxes, Points, Value
from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect, Benchmark
from er_bench.core.errors import DataError
from er_bench.core.geometry import (
    Box,
    Mask,
    Point,
    Size,
    Unit,
    boxes_to_px,
    from_px,
    inner_point,
    points_to_px,
)
from er_bench.core.sample import Blob, Image, Sample
from er_bench.core.score import Score
from er_bench.core.task import Judgement, QuestionTask
from er_bench.data.media import image_size, mask_over, mask_values
from er_bench.data.rows import Row, image_blobs

Read = Callable[[str], Answer]
MASK_CACHE_BYTES = 256 * 2**20
OBJECTS = "objects.json"
"""A mini split's side file: the centre of each thing in the scene, `{id: [[x, y], ..]}`, pixels."""


class PointTask(QuestionTask):
    """A task whose answers are points in one image; a file of its own may hold the mask."""

    judges_in_thread: ClassVar[bool] = True

    def mask_source(self, sample: Sample) -> Path | Blob | None:
        """Where the mask is, if it is a file; it must be as large as the image."""
        return None

    @abstractmethod
    def own_text(self, points_px_xy: list[Point], sample: Sample) -> str:
        """Points as the benchmark's own prompt wants them written."""

    def points_px(self, answer: Answer, sample: Sample, completion: Completion) -> list[Point]:
        """An answer's points in pixels of the original image. Raises DataError."""
        if not isinstance(answer.value, Points):
            return []
        sent = sent_size(answer.value.unit, sample, completion)
        return points_to_px(answer.value.xy, answer.value.unit, self.size_wh(sample), sent)

    def write(self, value: Value, sample: Sample, dialect: AnyDialect) -> str:
        """Points in pixels, as a model with this dialect would write them."""
        assert isinstance(value, Points)
        if isinstance(dialect, Benchmark):
            return self.own_text(list(value.xy), sample)
        xy = tuple(from_px(p, dialect.unit, self.size_wh(sample)) for p in value.xy)
        return dialect.write_points(Points(xy, dialect.unit))

    def media(self, sample: Sample) -> Iterable[Blob | Path]:
        """The image, and the mask if it is a file."""
        yield from super().media(sample)
        if (mask := self.mask_source(sample)) is not None:
            yield mask

    def check(self, sample: Sample) -> None:
        """Refuse a mask of another size than its image. Raises DataError."""
        mask = self.mask_source(sample)
        if mask is None:
            return
        (w, h), (mask_w, mask_h) = image_size(image_of(sample)), image_size(mask)
        if (w, h) != (mask_w, mask_h):
            raise DataError(
                f"the mask is {mask_w}x{mask_h}, its image {w}x{h}",
                file=_name(mask),
                row=sample.where,
                field="mask",
            )

    def size_wh(self, sample: Sample) -> Size:
        """The size of the mask, which `check` finds to be the image's."""
        mask = self.mask_source(sample)
        assert mask is not None
        return header_size(mask)

    def objects(self, sample: Sample) -> Sequence[Value]:
        """A point on each thing of the scene, from `objects.json` of a mini split; else nothing."""
        return [
            Points(((x, y),), Unit.PIXEL) for x, y in read_objects(self.root).get(sample.id, ())
        ]


class ReadPointTask(PointTask):
    """A point task that reads points first and applies its rule to them.

    A model with a dialect is asked and read in that dialect; a model without one (`benchmark`)
    in the benchmark's own words. `released_readers` says which families the benchmark's released
    code reads by rules of its own: they replace the dialect's strict reader.
    """

    @abstractmethod
    def released_readers(self, sample: Sample) -> Mapping[str, Read]:
        """The released code's readers by dialect name, `benchmark` among them."""

    @abstractmethod
    def own_tolerant(self, text: str) -> Answer:
        """The best reader of answers to the benchmark's own prompt."""

    @abstractmethod
    def rate(self, sample: Sample, official: list[Point], robust: list[Point]) -> Score:
        """The benchmark's rule on both readings, points in pixels of the original image."""

    def judge(self, sample: Sample, completion: Completion, dialect: AnyDialect) -> Judgement:
        """Read the completion twice and apply the rule to both."""
        official, robust = self.read(sample, completion.text, dialect)
        points = [self.points_px(a, sample, completion) for a in (official, robust)]
        return Judgement(official, robust, self.rate(sample, *points))

    def read(self, sample: Sample, text: str, dialect: AnyDialect) -> tuple[Answer, Answer]:
        """The official and the robust reading."""
        own = self.released_readers(sample).get(dialect.name)
        if isinstance(dialect, Benchmark):
            return (own or self.own_tolerant)(text), self.own_tolerant(text)
        return (own or dialect.read_points)(text), dialect.read_points_tolerant(text)


def image_of(sample: Sample) -> Blob:
    """The sample's one image."""
    return next(part.blob for part in sample.parts if isinstance(part, Image))


def deepest(mask_hw: Mask, sample: Sample) -> Point:
    """The point deepest in a sample's mask. Raises DataError when the mask is empty."""
    if not mask_hw.any():
        raise DataError("the mask is empty", row=sample.where, field="mask")
    return inner_point(mask_hw)


@cache
def read_objects(root: Path) -> Mapping[str, Sequence[Sequence[float]]]:
    """The side file of a mini split, or nothing."""
    path = root / OBJECTS
    found: dict[str, list[list[float]]] = json.loads(path.read_text()) if path.is_file() else {}
    return found


_SIZES: dict[str, Size] = {}


def header_size(source: Path | Blob) -> Size:
    """`(width, height)` of a picture, from its header, which is read once. Raises DataError."""
    if (name := _name(source)) not in _SIZES:
        _SIZES[name] = image_size(source)
    return _SIZES[name]


def sent_size(unit: Unit, sample: Sample, completion: Completion) -> Size | None:
    """The size of the image as sent, where the unit needs it. Raises DataError when unknown."""
    if unit is not Unit.PIXEL_SENT:
        return None
    if not completion.image_sizes:
        raise DataError(
            "the answer counts pixels of the image as sent, and its size is not known; "
            'give "image_sizes" with the response',
            file=sample.where,
        )
    return completion.image_sizes[0]


def boxes_px(answer: Answer, size_wh: Size, sample: Sample, completion: Completion) -> list[Box]:
    """An answer's boxes in pixels of the original image. Raises DataError."""
    if not isinstance(answer.value, Boxes):
        return []
    sent = sent_size(answer.value.unit, sample, completion)
    return boxes_to_px(answer.value.xyxy, answer.value.unit, size_wh, sent)


def boxes_from_px(boxes_px_xyxy: Iterable[Box], unit: Unit, size_wh: Size) -> list[Box]:
    """Boxes of the original image in another unit; the inverse of `boxes_px`."""
    return [
        (*from_px((x1, y1), unit, size_wh), *from_px((x2, y2), unit, size_wh))
        for x1, y1, x2, y2 in boxes_px_xyxy
    ]


class MaskCache:
    """The masks used last, so that many answers to one row decode its mask once."""

    def __init__(self, limit_bytes: int = MASK_CACHE_BYTES) -> None:
        self._limit, self._held = limit_bytes, 0
        self._masks: OrderedDict[object, NDArray[Any]] = OrderedDict()
        self._guard = threading.Lock()

    def over(self, source: Path | Blob, threshold: int) -> Mask:
        """The pixels above a threshold in any channel, `(H, W)` bool. Raises DataError."""
        return self.get((_name(source), threshold), lambda: mask_over(source, threshold))

    def values(self, source: Path | Blob) -> NDArray[np.uint8]:
        """The first channel as stored, `(H, W)` uint8. Raises DataError."""
        return self.get((_name(source), None), lambda: _first_channel(mask_values(source)))

    def get(self, key: object, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The array of a key, made if it is not held."""
        with self._guard:
            if key in self._masks:
                self._masks.move_to_end(key)
                return self._masks[key]
        mask = make()
        with self._guard:
            if key not in self._masks:
                self._masks[key] = mask
                self._held += mask.nbytes
            while self._held > self._limit and len(self._masks) > 1:
                self._held -= self._masks.popitem(last=False)[1].nbytes
        return mask


def _name(source: Path | Blob) -> str:
    return str(source) if isinstance(source, Path) else source.name


def _first_channel(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return values if values.ndim == 2 else values[..., 0]


MASKS = MaskCache()


def one_image(row: Row, field: str, sample_id: str, root: Path) -> Blob:
    """The one image in a field: encoded bytes, `{bytes, path}`, or a path. Raises DataError."""
    alone = Row({field: [row.get(field)]}, row.file, row.index)
    return image_blobs(alone, field, sample_id, root)[0]
