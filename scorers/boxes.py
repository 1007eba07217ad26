"""Scores of one predicted box. Boxes are `(x1, y1, x2, y2)`, both in one frame.

A degenerate or reversed box has no area: every score of it is 0, never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from er_bench.core.geometry import Box, box_area, iou

THRESHOLDS = (0.5, 0.25, 0.75)


@dataclass(frozen=True, slots=True)
class BoxScore:
    """How well a box fits."""

    iou: float = 0.0
    giou: float = -1.0
    center_acc: float = 0.0
    """1 if the predicted centre lies in the true box (lmms-eval `Center_ACC`)."""
    point_in_box: float = 0.0
    """1 if the answer's point lies in the true box; of a box, its centre (RoboRefIt)."""
    parsed: float = 0.0

    def parts(self) -> dict[str, float]:
        """Every named number, accuracies by IoU among them."""
        accuracies = {f"acc@{t}": float(self.iou >= t) for t in THRESHOLDS}
        return {
            "iou": self.iou,
            **accuracies,
            "giou": self.giou,
            "center_acc": self.center_acc,
            "point_in_box": self.point_in_box,
            "parse_rate": self.parsed,
        }


def score_box(predicted_xyxy: Sequence[Box], truth_xyxy: Box) -> BoxScore:
    """The first of the predicted boxes against the truth; more of them change nothing.

    IoU at 0.5 is RefCOCO's precision (InternVL `eval/refcoco/evaluate_grounding.py`, as in
    OpenGVLab/Vlaser 40d7821).
    """
    if not predicted_xyxy:
        return BoxScore()
    box = predicted_xyxy[0]
    if not all(isfinite(n) for n in box):
        return BoxScore()
    hit = float(_contains(truth_xyxy, _centre(box)))
    degenerate = box_area(box) <= 0
    return BoxScore(
        iou=iou(box, truth_xyxy),
        giou=giou(box, truth_xyxy),
        center_acc=0.0 if degenerate else hit,
        point_in_box=0.0 if degenerate else hit,
        parsed=1.0,
    )


def giou(a_xyxy: Box, b_xyxy: Box) -> float:
    """Generalised IoU, IoU - (hull - union) / hull, in [-1, 1]; -1 for a degenerate box.

    Source: Rezatofighi et al., CVPR 2019, algorithm 1; clamped as in VLA-R1
    `robot_bbox_traj_norm.py`, commit 42f4e0e.
    """
    area_a, area_b = box_area(a_xyxy), box_area(b_xyxy)
    if area_a <= 0 or area_b <= 0:
        return -1.0
    hull = (max(a_xyxy[2], b_xyxy[2]) - min(a_xyxy[0], b_xyxy[0])) * (
        max(a_xyxy[3], b_xyxy[3]) - min(a_xyxy[1], b_xyxy[1])
    )
    overlap = iou(a_xyxy, b_xyxy)
    union = (area_a + area_b) / (1 + overlap)
    return min(1.0, max(-1.0, overlap - (hull - union) / hull))


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _contains(box: Box, point: tuple[float, float]) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]
