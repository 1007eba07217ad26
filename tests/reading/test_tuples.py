"""Tuples drawn into pixels: the released rule, its failures, and inputs that ask for memory."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.reading.coordinates import tuples
from er_bench.reading.tuples import Drawn, robopoint, roborefer, tolerant
from er_bench.scorers.points import mean_value

SIZE = (640, 480)


def drawn(text):
    return robopoint(tuples(text), SIZE)


def test_a_decimal_point_makes_fractions_of_both():
    assert drawn("(0.5, 1)") == Drawn(((320, 480),))
    assert drawn("(5, 7)") == Drawn(((5, 7),))
    assert drawn("(0.5, 0.5), (5, 7)").points_px_xy == ((320, 240), (5, 7))


@pytest.mark.parametrize("text", ["(0, 0.5, 1.0, 1.0)", "(" + "9" * 400 + ".0, 1)"])
def test_what_raises_in_the_released_reader_is_none(text):
    assert drawn(text) is None


@pytest.mark.parametrize("text", ["(0.5, 0.5, 0.6)", "(5)", "(1, 2, 3, 4, 5)", "()", "(1,, 2)"])
def test_other_lengths_are_nothing(text):
    assert drawn(text) == Drawn()


@given(box=st.tuples(*[st.integers(-700, 1300)] * 4))
def test_boxes_are_slices(box):
    """Against numpy's own slicing, negative and reversed bounds too."""
    ours = robopoint([box], SIZE)
    page = np.zeros((480, 640), dtype=bool)
    page[box[1] : box[3], box[0] : box[2]] = True
    (x1, y1, x2, y2) = ours.boxes_px_xyxy[0]
    assert (x2 - x1) * (y2 - y1) == page.sum()
    assert page[int(y1) : int(y2), int(x1) : int(x2)].sum() == page.sum()
    values = np.random.default_rng(0).random((480, 640))
    expected = values[page].mean() if page.any() else 0
    assert mean_value([], ours.boxes_px_xyxy, values) == pytest.approx(expected)


def test_boxes_that_ask_for_gigabytes_fail_at_once():
    started = time.process_time()
    assert roborefer([(100, 100, 200, 200)], SIZE, absolute=False) is None
    assert roborefer([(0, 0, 10**12, 10**12)], SIZE, absolute=True) is None
    assert tolerant("[0, 0, 1000000000, 1000000000]", SIZE) == Drawn()
    huge = robopoint([(0, 0, 10**12, 10**12)], SIZE)
    assert huge.boxes_px_xyxy == ((0, 0, 640, 480),)
    assert time.process_time() - started < 0.5


def test_absolute_tuples_are_truncated_and_never_scaled():
    read = roborefer([(480.5, 360.2), (3, 4)], SIZE, absolute=True)
    assert read == Drawn(((480, 360), (3, 4)))
    assert roborefer([(0.1, 0.1, 0.2, 0.2)], SIZE, absolute=True) is None
    assert roborefer([(20, 20, 10, 10)], SIZE, absolute=True) is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("[( .5, 0.25 )]", Drawn(((320, 120),))),
        ("[[0.5, 0.25]]", Drawn(((320, 120),))),
        ("<think>(1, 1)</think>[(0.5, 0.25)]", Drawn(((320, 120),))),
        ("(1.0, 1.0, 0.5, 0.5)", Drawn((), ((320, 240, 640, 480),))),
        ("nothing", Drawn()),
        ("(" + "9" * 400 + ", 1)", Drawn()),
    ],
)
def test_the_tolerant_reader(text, read):
    assert tolerant(text, SIZE) == read


@given(text=st.text(alphabet="()[],.0123456789- "))
def test_readers_never_raise(text):
    robopoint(tuples(text), SIZE)
    for absolute in (False, True):
        roborefer(tuples(text), SIZE, absolute=absolute)
    tolerant(text, SIZE).answer()
