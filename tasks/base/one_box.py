"""Answers that are one box: the numbers that are made of it, and how they are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from er_bench.core.answer import Answer, Boxes
from er_bench.core.geometry import Box, Size, Unit
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Sample, T
from er_bench.core.score import Aggregate, Score, Scored, Verdict, mean, mean_of_samples
from er_bench.scorers.boxes import BoxScore, score_box
from er_bench.tasks.base.located import Read, located

Headline = Callable[[BoxScore], float]


def box_verdict(
    read: Read,
    sample: Sample[T],
    rollout: Rollout,
    truth_px_xyxy: Box,
    size_wh: Callable[[Sample[T]], Size],
    headline: Headline,
) -> Verdict:
    """The first box of an answer against the true one. The size is asked for where it is needed."""
    completion = rollout.completion
    answer = read(completion.text)
    pixels = isinstance(answer.value, Boxes) and answer.value.unit is Unit.PIXEL
    size: Size = (1, 1) if pixels or answer.value is None else size_wh(sample)
    boxes = located(answer, size, sample.where, completion).boxes_px_xyxy
    made = score_box(boxes, truth_px_xyxy) if boxes else BoxScore()
    parts = made.parts() | {"n_boxes": float(len(boxes))}
    why = f"IoU {made.iou:.3f}" if boxes else ""
    return Verdict.of(answer, Score(headline(made), parts, why), boxes_px_xyxy=boxes)


def pixel_boxes(quads: Sequence[tuple[float, ...]]) -> Answer:
    """Boxes in pixels, of groups of four numbers."""
    boxes = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in quads)
    if not boxes or not all(abs(n) < 1e300 for box in boxes for n in box):
        return Answer.unparsed()
    return Answer(Boxes(boxes, Unit.PIXEL))


def beside(scored: Sequence[Scored]) -> Aggregate:
    """The headline, and the mean of every other number; GIoU goes from -1 to 1."""
    made = mean_of_samples(scored)
    names = BoxScore().parts() if scored else {}
    return Aggregate(
        made.score,
        made.categories if len(made.categories) > 1 else {},
        {name: mean([s.parts[name] for s in scored]) for name in names},
    )


def no_points(points: object) -> str:
    """For conventions that write no points."""
    raise NotImplementedError("boxes are asked for, not points")
