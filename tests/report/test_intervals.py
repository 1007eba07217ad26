"""Intervals between bounds: inside them, never collapsed, right as often as they say."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.report.intervals import difference_interval, share_interval, t_quantile
from er_bench.report.results import read_results
from er_bench.report.statistics import (
    bootstrap_estimate,
    mean_estimate,
    paired_difference,
    repeat_variance,
)
from tests.conftest import Command


def test_student_t_quantiles() -> None:
    for df, expected in ((1, 12.706204736), (9, 2.262157163), (1000, 1.962339)):
        assert t_quantile(df) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="degree of freedom"):
        t_quantile(0)


def test_wilson_by_hand() -> None:
    """15 of 30: n = p(1-p)/SE^2 = 29, t for 29 degrees of freedom."""
    stderr = math.sqrt(0.25 / 29)
    low, high = share_interval(0.5, stderr, 30)
    t = t_quantile(29)
    half = t / (1 + t**2 / 29) * math.sqrt(0.25 / 29 + t**2 / (4 * 29**2))
    assert (low, high) == (pytest.approx(0.5 - half), pytest.approx(0.5 + half))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_none_or_all_of_thirty_is_no_certainty(value: float) -> None:
    found = mean_estimate([value] * 30, range(30))
    assert found.stderr == 0 and found.ci95 is not None
    low, high = found.ci95
    assert (low, high)[int(value)] == value
    assert high - low == pytest.approx(0.122, abs=0.001)
    assert share_interval(value, 0.0, 17)[int(value)] == value  # to the last digit
    drawn = bootstrap_estimate([value] * 30, range(30), lambda items: sum(items) / len(items))
    assert drawn.ci95 == pytest.approx(found.ci95)


def test_clusters_count_not_samples_where_all_are_alike() -> None:
    few = mean_estimate([0.0] * 30, [k // 10 for k in range(30)]).ci95
    many = mean_estimate([0.0] * 30, range(30)).ci95
    assert few is not None and many is not None and few[1] > 3 * many[1]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=2),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30),
)
def test_no_interval_leaves_its_bounds_or_its_value(
    scores: list[tuple[float, int]], pairs: list[tuple[float, float]]
) -> None:
    found = mean_estimate([v for v, _ in scores], [c for _, c in scores])
    if found.ci95 is not None:
        assert 0 <= found.ci95[0] <= found.value + 1e-9
        assert found.value - 1e-9 <= found.ci95[1] <= 1
    apart = paired_difference([a for a, _ in pairs], [b for _, b in pairs], range(len(pairs)))
    assert apart.ci95 is not None and -1 <= apart.ci95[0] <= apart.ci95[1] <= 1
    turned = paired_difference([b for _, b in pairs], [a for a, _ in pairs], range(len(pairs)))
    assert turned.ci95 == pytest.approx((-apart.ci95[1], -apart.ci95[0]), abs=1e-9)


def test_a_difference_that_all_but_fills_its_range_turned_round() -> None:
    low, high = difference_interval(0.9999999999999999, 0.0, 2)
    assert difference_interval(-0.9999999999999999, 0.0, 2) == (-high, -low)


def test_equal_runs_may_still_differ_where_nobody_looked() -> None:
    low, high = difference_interval(0.0, 0.0, 100)
    assert (low, high) == (-high, pytest.approx(0.0379, abs=0.001))


@pytest.mark.parametrize("mean", [0.05, 0.5])
def test_they_hold_the_truth_as_often_as_they_say(mean: float) -> None:
    rng, held = np.random.default_rng(4), 0
    for _ in range(600):
        chance = rng.beta(3 * mean, 3 * (1 - mean), (40, 1))
        values = (rng.random((40, 4)) < chance).astype(float)
        found = mean_estimate(values.ravel().tolist(), np.repeat(np.arange(40), 4).tolist()).ci95
        assert found is not None
        held += found[0] <= mean <= found[1]
    assert 0.92 < held / 600 < 0.99


def test_variance_within_and_between_samples() -> None:
    """Means 0.5, 1, 0; within 0.5, 0, 0."""
    assert repeat_variance([[0, 1], [1, 1], [0, 0]]) == pytest.approx((0.5 / 3, 0.25 - 0.5 / 6))
    assert repeat_variance([[0, 1], [1, 0]]) == pytest.approx((0.5, 0))
    assert repeat_variance([[1], [0], [1, 1]]) is None
    rng = np.random.default_rng(3)
    drawn = rng.normal(0, 2, (4000, 1)) + rng.normal(0, 1, (4000, 3))
    assert repeat_variance(drawn.tolist()) == pytest.approx((1, 4), rel=0.1)


def test_a_run_with_repeats_says_where_its_scatter_comes_from(
    er_bench: Command, tmp_path: Path
) -> None:
    told = er_bench("run", "--model", "reference/chance", "--tasks", "erqa", "--split", "mini",
                    "--repeats", "3", "--out", "r")  # fmt: skip
    assert "erqa: between repeats of a sample scores scatter by" in told.stdout
    spread = read_results(tmp_path / "r").tasks["erqa"].repeat_variance
    assert spread is not None and 0.1 < spread.within < 0.25 and spread.between < 0.1
