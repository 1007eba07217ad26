"""Box scores."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.scorers.boxes import BoxScore, giou, score_box

TRUTH = (10.0, 10.0, 30.0, 30.0)


def test_a_perfect_box():
    parts = score_box([TRUTH], TRUTH).parts()
    assert set(parts.values()) == {1.0}


def test_half_the_box():
    score = score_box([(10, 10, 30, 20)], TRUTH)
    assert (score.iou, score.giou) == (0.5, 0.5)
    assert score.parts()["acc@0.5"] == 1  # the bound counts
    assert score.parts()["acc@0.75"] == 0


def test_only_the_first_box_counts():
    assert score_box([(0, 0, 5, 5), TRUTH], TRUTH).iou == 0


def test_boxes_apart_have_a_negative_giou():
    assert giou((0, 0, 1, 1), (3, 0, 4, 1)) == pytest.approx(-0.5)


@pytest.mark.parametrize(
    "box", [(20, 20, 20, 20), (30, 30, 10, 10), (10, 10, 30, 10), (math.nan,) * 4, (math.inf,) * 4]
)
def test_degenerate_boxes_score_nothing(box):
    score = score_box([box], TRUTH)
    assert (score.iou, score.giou, score.center_acc, score.point_in_box) == (0, -1, 0, 0)


def test_no_box():
    assert score_box([], TRUTH) == BoxScore()
    assert BoxScore().parts()["parse_rate"] == 0


@given(st.tuples(*[st.floats(-1e6, 1e6)] * 4), st.tuples(*[st.floats(0, 1e3)] * 4))
def test_scores_stay_in_their_range(box, truth):
    score = score_box([box], truth)
    assert 0 <= score.iou <= 1
    assert -1 <= score.giou <= score.iou + 1e-9
