from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.core.score import mean
from er_bench.report import statistics as stats
from er_bench.report.intervals import share_interval


def test_without_clusters_the_error_is_the_textbook_one() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    n, m = len(values), sum(values) / 6
    expected = math.sqrt(sum((v - m) ** 2 for v in values) / (n - 1) / n)
    estimate = stats.mean_estimate(values, range(n))
    assert estimate.stderr == pytest.approx(expected)
    assert estimate.ci95 == pytest.approx(share_interval(m, expected, n))


def test_a_cluster_of_copies_counts_once() -> None:
    single = stats.mean_estimate([0.0, 1.0, 1.0, 0.0], "abcd")
    copied = stats.mean_estimate([0.0, 1.0, 1.0, 0.0] * 5, "abcd" * 5)
    assert copied.stderr == pytest.approx(single.stderr)
    assert copied.ci95 == pytest.approx(single.ci95)
    assert copied.n_clusters == 4


def test_by_hand() -> None:
    """Two clusters, (1, 1, 0) and (0): mean .5, residual sums .5 and -.5, SE sqrt(2 * .5) / 4."""
    estimate = stats.mean_estimate([1, 1, 0, 0], ["a", "a", "a", "b"])
    assert estimate.value == 0.5
    assert estimate.stderr == pytest.approx(math.sqrt(2 * (0.25 + 0.25)) / 4)


@pytest.mark.parametrize(("values", "clusters"), [([], []), ([1.0], ["a"]), ([1.0, 0.0], "aa")])
def test_too_little_has_no_error(values: list[float], clusters: str) -> None:
    estimate = stats.mean_estimate(values, list(clusters))
    assert (estimate.stderr, estimate.ci95) == (None, None)
    assert math.isnan(estimate.value) == (not values)


def test_bootstrap_of_a_mean_agrees_with_the_formula() -> None:
    rng = random.Random(1)
    clusters = [k // 4 for k in range(400)]
    base = {c: rng.random() for c in range(100)}
    values = [min(1.0, max(0.0, base[c] + rng.gauss(0, 0.1))) for c in clusters]
    formula = stats.mean_estimate(values, clusters)
    drawn = stats.bootstrap_estimate(values, clusters, mean)
    assert drawn.value == pytest.approx(formula.value)
    assert drawn.stderr == pytest.approx(formula.stderr, rel=0.1)
    assert drawn == stats.bootstrap_estimate(values, clusters, mean)


def test_bootstrap_guards() -> None:
    one = stats.bootstrap_estimate([1.0, 0.0], "aa", mean)
    assert (one.value, one.stderr) == (0.5, None)
    assert math.isnan(stats.bootstrap_estimate([], [], mean).value)


def test_pairing_removes_what_both_share() -> None:
    rng = random.Random(2)
    hard = [rng.random() for _ in range(200)]
    a, b = [h * 0.9 for h in hard], [h * 0.9 - 0.02 for h in hard]
    difference = stats.paired_difference(a, b, range(200))
    alone = stats.mean_estimate(a, range(200))
    assert difference.value == pytest.approx(0.02)
    assert difference.stderr is not None and alone.stderr is not None
    assert difference.stderr < alone.stderr / 100
    with pytest.raises(ValueError, match="zip"):
        stats.paired_difference([1.0], [], [])


def test_average_of_tasks_adds_variances() -> None:
    tasks = [
        stats.Estimate(0.4, 0.03, None, 10, 10),
        stats.Estimate(0.6, 0.04, None, 10, 10),
    ]
    average = stats.average_of_tasks(tasks)
    assert (average.value, average.stderr) == (pytest.approx(0.5), pytest.approx(0.025))
    assert stats.average_of_tasks([*tasks, stats.Estimate(1, None, None, 1, 1)]).stderr is None


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1))
def test_any_scores_give_a_finite_estimate(pairs: list[tuple[float, int]]) -> None:
    estimate = stats.mean_estimate([v for v, _ in pairs], [c for _, c in pairs])
    assert 0 <= estimate.value <= 1 + 1e-12
    assert estimate.stderr is None or 0 <= estimate.stderr < 1
