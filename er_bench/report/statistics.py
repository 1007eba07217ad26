"""Means, clustered standard errors, intervals and paired differences: the one place for them.

Samples that share a cluster (a video, a scene, an image) are not independent, so errors are
summed within a cluster before they are squared. The estimator is that of E. Miller, "Adding Error
Bars to Evals" (arXiv 2411.00640, Appendix A), with the C/(C-1) small-sample factor that inspect_ai
applies (`scorer/_metrics/std.py`, commit 499e6152).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import variance
from typing import TypeVar

from er_bench.report.intervals import difference_interval, share_interval

T = TypeVar("T")

BOOTSTRAP_SEED = 20260101
BOOTSTRAP_WORK = 2_000_000
"""Samples visited by one bootstrap, at most; it bounds the number of replicates."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and how sure it is. Error and interval are None where they cannot be had."""

    value: float
    stderr: float | None
    ci95: tuple[float, float] | None
    n: int
    n_clusters: int


def mean_estimate(values: Sequence[float], clusters: Sequence[Hashable]) -> Estimate:
    """The mean of numbers in [0, 1] with its clustered standard error and 95% interval.

    SE = sqrt(C/(C-1) * sum_c (sum_{i in c} (s_i - mean))^2) / n, df = C - 1. With fewer than two
    clusters there is no error to state.

    Raises:
        ValueError: `values` and `clusters` differ in length.
    """
    n, groups = len(values), _sums(values, clusters)
    c = len(groups)
    if n == 0:
        return Estimate(math.nan, None, None, 0, 0)
    mean = math.fsum(values) / n
    if c < 2:
        return Estimate(mean, None, None, n, c)
    squares = math.fsum((total - count * mean) ** 2 for total, count in groups.values())
    stderr = math.sqrt(c / (c - 1) * squares) / n
    return Estimate(mean, stderr, share_interval(mean, stderr, c), n, c)


def _sums(
    values: Sequence[float], clusters: Sequence[Hashable]
) -> Mapping[Hashable, tuple[float, int]]:
    groups: dict[Hashable, tuple[float, int]] = {}
    for number, cluster in zip(values, clusters, strict=True):
        total, count = groups.get(cluster, (0.0, 0))
        groups[cluster] = (total + number, count + 1)
    return groups


def bootstrap_estimate(
    items: Sequence[T],
    clusters: Sequence[Hashable],
    statistic: Callable[[Sequence[T]], float],
    seed: int = BOOTSTRAP_SEED,
) -> Estimate:
    """An aggregate that is no mean, by resampling whole clusters with a fixed seed.

    The standard error is that of the replicates (B. Efron, R. Tibshirani, An Introduction to the
    Bootstrap, 1993, ch. 6); the interval is made of it, with the factor C/(C-1), for percentiles of
    replicates collapse at 0 and 1. Replicates whose statistic is NaN are left out. Between 100 and
    1,000 replicates, as many as BOOTSTRAP_WORK allows.
    """
    groups: dict[Hashable, list[T]] = {}
    for item, cluster in zip(items, clusters, strict=True):
        groups.setdefault(cluster, []).append(item)
    value, c = (statistic(items) if items else math.nan), len(groups)
    if c < 2:
        return Estimate(value, None, None, len(items), c)
    rng, pools = random.Random(seed), list(groups.values())
    replicates = []
    for _ in range(max(100, min(1000, BOOTSTRAP_WORK // len(items)))):
        drawn = [item for pool in rng.choices(pools, k=c) for item in pool]
        replicates.append(statistic(drawn))
    kept = sorted(r for r in replicates if not math.isnan(r))
    if len(kept) < 2:
        return Estimate(value, None, None, len(items), c)
    centre = math.fsum(kept) / len(kept)
    stderr = math.sqrt(math.fsum((r - centre) ** 2 for r in kept) / (len(kept) - 1))
    return Estimate(
        value, stderr, share_interval(value, stderr * math.sqrt(c / (c - 1)), c), len(items), c
    )


def repeat_variance(samples: Iterable[Sequence[float]]) -> tuple[float, float] | None:
    """The variance of scores within samples and between them, from samples asked several times.

    The components of a one-way analysis of variance (S.R. Searle, G. Casella, C.E. McCulloch,
    Variance Components, 1992, ch. 3) for as many repeats each; between is not below 0. None where
    fewer than two samples have two repeats.
    """
    kept = [scores for scores in samples if len(scores) > 1]
    if len(kept) < 2:
        return None
    within = math.fsum(variance(scores) for scores in kept) / len(kept)
    repeats = len(kept) / math.fsum(1 / len(scores) for scores in kept)
    means = [math.fsum(scores) / len(scores) for scores in kept]
    return within, max(0.0, variance(means) - within / repeats)


def paired_difference(
    a: Sequence[float], b: Sequence[float], clusters: Sequence[Hashable]
) -> Estimate:
    """Mean of a - b over the same samples, with its clustered error (Miller, section 4.2)."""
    found = mean_estimate([x - y for x, y in zip(a, b, strict=True)], clusters)
    if found.stderr is None:
        return found
    interval = difference_interval(found.value, found.stderr, found.n_clusters)
    return replace(found, ci95=interval)


def average_of_tasks(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of task scores; tasks are independent: SE = sqrt(sum SE_k^2) / K.

    The error is None when one of the tasks has none.
    """
    k = len(estimates)
    if k == 0:
        return Estimate(math.nan, None, None, 0, 0)
    value = math.fsum(e.value for e in estimates) / k
    errors = [e.stderr for e in estimates if e.stderr is not None]
    if len(errors) < k:
        return Estimate(value, None, None, k, k)
    stderr = math.sqrt(math.fsum(s * s for s in errors)) / k
    fewest = min(e.n_clusters for e in estimates)
    return Estimate(value, stderr, share_interval(value, stderr, fewest), k, k)
