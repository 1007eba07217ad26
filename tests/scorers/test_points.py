"""Point scores: the cases of grounding.md 4 that turn on the score, not on the reading."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.scorers.points import (
    Hits,
    first_or_all,
    hits_in_mask,
    hits_in_radius,
    matched,
    mean_value,
)

MASK = np.zeros((480, 640), dtype=bool)
MASK[240:, 320:] = True
HIT, MISS = (480.0, 360.0), (64.0, 48.0)


def disc(x, y, radius=20, size=(480, 640)):
    ys, xs = np.mgrid[: size[0], : size[1]]
    return (xs - x) ** 2 + (ys - y) ** 2 <= radius**2


def test_point_bench_judges_the_first_point_only():
    assert first_or_all([HIT, MISS], MASK, None) == 1
    assert first_or_all([MISS, HIT], MASK, None) == 0
    assert first_or_all([], MASK, None) == 0


def test_point_bench_counting_wants_the_count_and_all_inside():
    assert first_or_all([HIT] * 3, MASK, 3) == 1  # three on one object pass
    assert first_or_all([HIT] * 4, MASK, 3) == 0
    assert first_or_all([HIT, HIT, MISS], MASK, 3) == 0
    assert first_or_all([], MASK, 1) == 0


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ((319.99, 240), False),
        ((320, 240), True),
        ((639.9, 479.9), True),
        ((640, 400), False),
        ((400, 480), False),
        ((-1, 400), False),
        ((float("nan"), 400), False),
        ((float("inf"), 400), False),
    ],
)
def test_pixels_are_truncated_and_bounded(point, inside):
    assert first_or_all([point], MASK, None) == inside


def test_mean_value_counts_points_outside_as_misses_and_sums_boxes():
    assert mean_value([HIT, MISS], [], MASK) == 0.5
    assert mean_value([HIT, (640.0, 400.0)], [], MASK) == 0.5
    assert mean_value([], [(160, 240, 480, 480)], MASK) == 0.5
    assert mean_value([], [(480, 400, 320, 300)], MASK) == 0
    assert mean_value([], [(600, 240, 680, 480)], MASK) == 0.5
    assert mean_value([], [(-40, -40, -10, -10)], MASK) == 0
    assert mean_value([], [], MASK) == 0


def test_mean_value_of_a_soft_mask_is_the_value():
    soft = np.zeros((480, 640))
    soft[100, 200] = 36 / 255
    assert mean_value([(200.0, 100.0)], [], soft) == pytest.approx(0.141, abs=5e-4)


@given(
    boxes=st.lists(
        st.tuples(*[st.integers(-5, 25)] * 4).filter(lambda b: b[0] <= b[2] and b[1] <= b[3]),
        min_size=1,
        max_size=3,
    )
)
def test_summed_boxes_equal_their_pixels_one_by_one(boxes):
    values = np.random.default_rng(0).random((20, 20))
    pixels = [(x, y) for x1, y1, x2, y2 in boxes for x in range(x1, x2) for y in range(y1, y2)]
    assert mean_value([], boxes, values) == pytest.approx(mean_value(pixels, [], values))


def test_pooled_hits():
    one, ten = hits_in_mask([HIT], MASK), hits_in_mask([MISS] * 10, MASK)
    assert (one, ten) == (Hits(1, 1), Hits(0, 10))
    assert (one.share + ten.share) / 2 == 0.5
    assert (one.hits + ten.hits) / (one.total + ten.total) == pytest.approx(0.091, abs=1e-3)
    assert hits_in_mask([], MASK) == Hits(0, 1)
    assert hits_in_mask([(640.0, 400.0)], MASK) == Hits(0, 1)


def test_radius_is_inclusive_and_needs_no_matching():
    truth = [(500.0, 500.0)]
    assert hits_in_radius([(525, 500), (526, 500)], truth, 25.0) == Hits(1, 2)
    assert hits_in_radius([(500, 500)] * 3, truth, 25.0) == Hits(3, 3)
    assert hits_in_radius([], truth, 25.0) == Hits(0, 1)


def test_matching_is_one_to_one():
    centres = [(100.0, 100.0), (300.0, 100.0), (500.0, 100.0)]
    masks = [disc(*c) for c in centres]
    assert matched(centres, centres, masks).f1 == pytest.approx(1)
    crowd = matched([(100.0, 100.0), (101.0, 100.0), (102.0, 100.0)], centres, masks)
    assert (crowd.precision, crowd.recall) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    extra = matched([*centres, (10.0, 10.0)], centres, masks)
    assert (extra.precision, extra.recall) == (0.75, 1)


def test_matching_with_nothing_on_a_side():
    assert matched([], [], []).f1 == 1
    assert matched([HIT], [], []).f1 == 0
    assert matched([], [HIT], [MASK]).f1 == 0
    assert matched([MISS], [HIT], [MASK]).f1 == 0
