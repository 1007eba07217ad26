"""Distances of traces against plain definitions, and traces that are hardly any."""

import math
import time
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.scorers.trajectory import discrete_frechet, hausdorff, resampled, rmse

COORDINATE = st.floats(0, 1000, allow_nan=False).map(lambda n: round(n, 2))
TRACES = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1, max_size=9)


def frechet_by_definition(a, b):
    @cache
    def reach(i, j):
        here = math.dist(a[i], b[j])
        ways = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
        before = [reach(p, q) for p, q in ways if p >= 0 and q >= 0]
        return max(here, min(before)) if before else here

    return reach(len(a) - 1, len(b) - 1)


@given(TRACES, TRACES)
def test_frechet_is_the_shortest_leash(a, b):
    assert discrete_frechet(a, b) == pytest.approx(frechet_by_definition(a, b))
    assert discrete_frechet(a, b) == discrete_frechet(b, a)


@given(TRACES, TRACES)
def test_hausdorff_is_the_furthest_of_the_nearest(a, b):
    one = max(min(math.dist(p, q) for q in b) for p in a)
    other = max(min(math.dist(p, q) for q in a) for p in b)
    assert hausdorff(a, b) == pytest.approx(max(one, other))
    assert hausdorff(a, b) <= discrete_frechet(a, b) + 1e-9


@given(TRACES)
def test_a_trace_is_at_no_distance_from_itself(a):
    assert discrete_frechet(a, a) == hausdorff(a, a) == rmse(a, a) == 0


def test_rmse_after_equal_steps():
    straight, bent = [(0, 0), (10, 0)], [(0, 0), (1, 0), (2, 0), (10, 0)]
    assert rmse(straight, bent) == pytest.approx(0, abs=1e-9)
    assert rmse(straight, [(0, 3), (10, 3)]) == pytest.approx(3)
    made = resampled(np.array([(0.0, 0.0), (3.0, 0.0), (3.0, 3.0)]), 3)
    assert made.tolist() == [[0, 0], [3, 0], [3, 3]]


@pytest.mark.parametrize("distance", [discrete_frechet, hausdorff, rmse])
@pytest.mark.parametrize("odd", [[], [(math.nan, 1)], [(0, math.inf), (1, 1)]])
def test_what_is_no_trace_is_infinitely_far(distance, odd):
    assert distance(odd, [(0, 0)]) == distance([(0, 0)], odd) == math.inf


@pytest.mark.parametrize("distance", [discrete_frechet, hausdorff, rmse])
def test_single_points(distance):
    assert distance([(0, 0)], [(3, 4)]) == 5


def test_ten_thousand_points_do_not_recurse():
    along = np.linspace(0, 1000, 10_000)
    a = list(zip(along, np.sin(along), strict=True))
    b = [(x, y + 2) for x, y in a]
    start = time.process_time()
    assert discrete_frechet(a, b) == pytest.approx(2, abs=0.02)
    assert time.process_time() - start < 20


def test_the_order_of_a_trace_counts_for_frechet_alone():
    a = [(0, 0), (5, 0), (10, 0)]
    for b in (a[::-1], [a[1], a[0], a[2]]):
        assert hausdorff(a, b) == 0
        assert discrete_frechet(a, b) > 0
    assert all(discrete_frechet(p, q) >= 0 for p, q in product([a], repeat=2))
