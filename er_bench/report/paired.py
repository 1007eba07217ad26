"""Two runs over the same samples: paired differences, their errors and tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TypeVar

from er_bench.report.intervals import difference_interval
from er_bench.report.statistics import BOOTSTRAP_SEED, Estimate, bootstrap_estimate

T = TypeVar("T")
MOST_EXACT = 1000
"""Pairs up to which a test of right-or-wrong samples is exact."""


def bootstrap_difference(
    pairs: Sequence[tuple[T, T]],
    clusters: Sequence[Hashable],
    statistic: Callable[[Sequence[T]], float],
    seed: int = BOOTSTRAP_SEED,
) -> Estimate:
    """statistic(b) - statistic(a) for an aggregate that is no mean, clusters drawn together.

    Both sides are drawn alike, so that what they share is in both. Error and interval as in
    `statistics.bootstrap_estimate`.
    """

    def difference(drawn: Sequence[tuple[T, T]]) -> float:
        return statistic([b for _, b in drawn]) - statistic([a for a, _ in drawn])

    found = bootstrap_estimate(pairs, clusters, difference, seed)
    if found.stderr is None:
        return found
    c = found.n_clusters
    interval = difference_interval(found.value, found.stderr * math.sqrt(c / (c - 1)), c)
    return replace(found, ci95=interval)


def mcnemar(n_won: int, n_lost: int) -> float:
    """The exact two-sided p-value of samples won and lost (Q. McNemar, Psychometrika 12, 1947)."""
    from scipy.stats import binomtest

    if n_won + n_lost == 0:
        return 1.0
    return float(binomtest(n_won, n_won + n_lost, 0.5).pvalue)


def t_test(found: Estimate) -> float | None:
    """The two-sided p-value of a difference by its clustered error; None where there is none."""
    from scipy.special import stdtr

    if found.stderr is None:
        return None
    if found.stderr == 0:
        return 1.0 if found.value == 0 else 0.0
    return float(2 * stdtr(found.n_clusters - 1, -abs(found.value) / found.stderr))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values for many tests at once (S. Holm, Scandinavian J. of Statistics 6, 1979)."""
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[k]))
        adjusted[k] = largest
    return adjusted
