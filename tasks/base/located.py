"""Answers that are places in one image: how they are asked for, read, brought to pixels, judged.

A task that points is composed of a convention (the dialect's, or the benchmark's own words), a
rule on pixels, and what the benchmark's released code has for certain families, by lineage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from er_bench.core.answer import Answer, Boxes, Points
from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect, Benchmark, of_lineage
from er_bench.core.errors import DataError
from er_bench.core.geometry import Box, Point, Size, Unit, boxes_to_px, from_px, points_to_px
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Sample, T
from er_bench.core.score import Aggregate, Score, Scored, Verdict, mean_of_samples
from er_bench.core.task import Reading

Read = Callable[[str], Answer]


@dataclass(frozen=True, slots=True)
class Convention:
    """How places are asked for, read strictly and tolerantly, and written."""

    unit: Unit
    ask: Callable[[str, str], str]
    """The text that asks, from the question and the bare expression."""
    read: Read
    read_tolerant: Read
    write: Callable[[Points], str]
    write_boxes: Callable[[Boxes], str]

    def released(self, readers: Mapping[str, Read], dialect: AnyDialect) -> Convention:
        """The same with the reader that a benchmark's released code has for a dialect's family."""
        return replace(self, read=of_lineage(readers, dialect) or self.read)


def point_convention(dialect: AnyDialect, own: Convention) -> Convention:
    """The dialect's way with points; the benchmark's own for a model without one."""
    if isinstance(dialect, Benchmark):
        return own
    return Convention(
        dialect.unit,
        dialect.point_prompt,
        dialect.read_points,
        dialect.read_points_tolerant,
        dialect.write_points,
        dialect.write_boxes,
    )


def box_convention(dialect: AnyDialect, own: Convention) -> Convention:
    """The dialect's way with boxes; the benchmark's own for a model without one."""
    if isinstance(dialect, Benchmark):
        return own
    return Convention(
        dialect.unit,
        dialect.box_prompt,
        dialect.read_boxes,
        dialect.read_boxes_tolerant,
        dialect.write_points,
        dialect.write_boxes,
    )


def no_boxes(boxes: Boxes) -> str:
    """For conventions that write none."""
    raise NotImplementedError(f"{len(boxes.xyxy)} boxes, where only points are written")


@dataclass(frozen=True, slots=True)
class Located:
    """An answer and its places in pixels of the original image."""

    answer: Answer
    points_px_xy: Sequence[Point] = ()
    boxes_px_xyxy: Sequence[Box] = ()
    raises: bool = False
    """Whether the released reader fails on the text, so that the item leaves its mean."""


def located(answer: Answer, size_wh: Size, where: str, completion: Completion) -> Located:
    """An answer's points or boxes in pixels of the original image. Raises DataError."""
    match answer.value:
        case Points(xy, unit):
            sent = sent_size(unit, where, completion)
            return Located(answer, points_to_px(xy, unit, size_wh, sent))
        case Boxes(xyxy, unit):
            sent = sent_size(unit, where, completion)
            return Located(answer, boxes_px_xyxy=boxes_to_px(xyxy, unit, size_wh, sent))
    return Located(answer)


def sent_size(unit: Unit, where: str, completion: Completion) -> Size | None:
    """The size of the image as sent, where the unit needs it. Raises DataError when unknown."""
    if unit is not Unit.PIXEL_SENT:
        return None
    if not completion.image_sizes:
        raise DataError(
            "the answer counts pixels of the image as sent, and its size is not known; "
            'give "image_sizes" with the response',
            file=where,
        )
    return completion.image_sizes[0]


def boxes_from_px(boxes_px_xyxy: Sequence[Box], unit: Unit, size_wh: Size) -> tuple[Box, ...]:
    """Boxes of the original image in another unit."""
    return tuple(
        (*from_px((x1, y1), unit, size_wh), *from_px((x2, y2), unit, size_wh))
        for x1, y1, x2, y2 in boxes_px_xyxy
    )


Locate = Callable[[Completion, Size, str], Located]
"""A completion, the image's size and where the row is, to places."""


def once(locate: Locate) -> Locate:
    """The same, reading a completion once for all readings that share it, one after the other."""
    last: tuple[Completion, Size, Located] | None = None

    def locate_once(completion: Completion, size_wh: Size, where: str) -> Located:
        nonlocal last
        held = last  # another thread may put its own there
        if held is not None and held[0] is completion and held[1] == size_wh:
            return held[2]
        found = locate(completion, size_wh, where)
        last = (completion, size_wh, found)
        return found

    return locate_once


Rate = Callable[[Sample[T], Located], Score]


def by(read: Read) -> Locate:
    """Places by a reader of text."""

    def locate(completion: Completion, size_wh: Size, where: str) -> Located:
        return located(read(completion.text), size_wh, where, completion)

    return locate


def place_reading(
    locate: Locate,
    size_wh: Callable[[Sample[T]], Size],
    rate: Rate[T],
    *,
    reader: str,
    rule: str,
    source: str,
    aggregate: Callable[[Sequence[Scored]], Aggregate] = mean_of_samples,
) -> Reading[T]:
    """A reading that locates an answer and applies a rule to its pixels."""

    def judge(sample: Sample[T], rollout: Rollout) -> Verdict:
        found = locate(rollout.completion, size_wh(sample), sample.where)
        score = Score(None, why="the released reader raises") if found.raises else None
        return Verdict.of(
            found.answer, score or rate(sample, found), found.points_px_xy, found.boxes_px_xyxy
        )

    return Reading(reader, rule, source, judge, aggregate)
