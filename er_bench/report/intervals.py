"""95% intervals of numbers between two bounds: they neither leave these nor collapse there.

The interval is Wilson's (E.B. Wilson, JASA 22, 1927) for an effective number of samples, as
surveys with clusters use it (E. L. Korn, B. I. Graubard, Survey Methodology 24, 1998; N. Dean,
M. Pagano, J. Survey Statistics and Methodology 3, 2015), with Student's t for few clusters. The
effective number is the one at which a proportion would have the standard error that was found. How
often it holds the truth is simulated in `perf/coverage.py`.
"""

from __future__ import annotations

import math

Interval = tuple[float, float]


def t_quantile(df: int, level: float = 0.95) -> float:
    """The two-sided Student-t quantile: 12.706 for df 1, 1.96 for many.

    Raises:
        ValueError: df < 1.
    """
    if df < 1:
        raise ValueError("Student's t needs at least one degree of freedom")
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + level / 2))


def share_interval(value: float, stderr: float, n_clusters: int) -> Interval:
    """The interval of a mean of numbers in [0, 1], from its clustered standard error.

    Where every sample has the same score there is no error to go by, and each cluster counts as
    one sample. A value outside [0, 1] gets the plain interval. Needs two clusters.
    """
    t = t_quantile(n_clusters - 1)
    if not 0 <= value <= 1:
        return value - t * stderr, value + t * stderr
    spread = value * (1 - value)
    n = spread / _steady(value, stderr, n_clusters) ** 2 if spread > 0 else float(n_clusters)
    middle = (value + t**2 / (2 * n)) / (1 + t**2 / n)
    half = t / (1 + t**2 / n) * math.sqrt(spread / n + t**2 / (4 * n**2))
    return max(0.0, min(value, middle - half)), min(1.0, max(value, middle + half))


def _steady(value: float, stderr: float, n_clusters: int) -> float:
    """The standard error, made no smaller than what few samples near a bound can tell.

    Near 0 and 1 most samples are alike and the rare others are not seen: the error is then drawn
    towards that of a proportion over the clusters, the more the fewer of them lie off the bound.
    """
    off_bound = min(value, 1 - value) * n_clusters
    weight = math.exp(-2 * off_bound) if stderr > 0 else 1.0
    proportion = value * (1 - value) / (n_clusters - 1)
    drawn: float = stderr ** (1 - weight) * proportion ** (weight / 2)
    return max(stderr, drawn)


def difference_interval(value: float, stderr: float, n_clusters: int) -> Interval:
    """The interval of a mean of differences in [-1, 1], from its clustered standard error.

    Where no sample differs, as many may differ unseen as a share of 0 may hide (`share_interval`).
    A difference turned round has the interval turned round, to the last digit.
    """
    if stderr == 0 and value == 0:
        _, most = share_interval(0.0, 0.0, n_clusters)
        return -most, most
    low, high = share_interval((abs(value) + 1) / 2, stderr / 2, n_clusters)
    low, high = 2 * low - 1, 2 * high - 1
    return (low, high) if value >= 0 else (-high, -low)
