"""How often the 95% intervals hold the truth: `perf/coverage.py [--draws 2000]`.

Draws data sets whose true mean is known, with and without clusters, small and large, near 0, in the
middle and near 1, of right-or-wrong and of fractional scores, and aggregates that are not means
(the mean of two unequal categories, by bootstrap). Prints one line each: share of intervals that
hold the truth, their mean width, and what is outside of 93% to 97.5%.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from er_bench.report import statistics as stats

LOW, HIGH = 0.93, 0.975
SIZES = ((10, 1), (30, 1), (1000, 1), (10, 4), (30, 5), (200, 5))
"""Clusters, and samples in each."""
MEANS = (0.03, 0.5, 0.97)
Draw = Callable[[np.random.Generator, int, int, float], NDArray[np.float64]]


def binary(rng: np.random.Generator, c: int, m: int, p: float) -> NDArray[np.float64]:
    """Right or wrong, `(c, m)`; the samples of a cluster share a chance drawn around `p`."""
    chance = rng.beta(3 * p, 3 * (1 - p), (c, 1)) if m > 1 else np.full((c, 1), p)
    return (rng.random((c, m)) < chance).astype(float)


def fractional(rng: np.random.Generator, c: int, m: int, p: float) -> NDArray[np.float64]:
    """Scores between 0 and 1, `(c, m)`, alike within a cluster."""
    centre = rng.beta(3 * p, 3 * (1 - p), (c, 1)) if m > 1 else np.full((c, 1), p)
    return rng.beta(4 * centre + 1e-6, 4 * (1 - centre) + 1e-6, (c, m))


def mean(values: NDArray[np.float64]) -> stats.Estimate:
    """The mean and its clustered interval."""
    c, m = values.shape
    return stats.mean_estimate(values.ravel().tolist(), np.repeat(np.arange(c), m).tolist())


def macro(items: Sequence[tuple[int, float]]) -> float:
    """The mean of the means of two categories."""
    means = [np.mean([v for k, v in items if k == kind] or [np.nan]) for kind in (0, 1)]
    return float(np.mean(means))


def bootstrapped(values: NDArray[np.float64]) -> stats.Estimate:
    """The macro mean of two categories, a third of the clusters in the first."""
    c, m = values.shape
    clusters = np.repeat(np.arange(c), m).tolist()
    items = [(int(k % 3 > 0), v) for k, v in zip(clusters, values.ravel().tolist(), strict=True)]
    return stats.bootstrap_estimate(items, clusters, macro)


def main() -> None:
    """Draw, count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    args = parser.parse_args()
    print("| estimator | scores | clusters x samples | mean | coverage | width | |")
    print("|---|---|---|---|---|---|---|")
    estimators = (("mean", mean, args.draws), ("bootstrap", bootstrapped, args.draws // 4))
    for name, estimate, draws in estimators:
        for kind in (binary, fractional):
            for c, m in SIZES:
                if name == "bootstrap" and c * m > 200:
                    continue
                for p in MEANS:
                    rng = np.random.default_rng([c, m, int(100 * p)])
                    held, widths = 0, []
                    for _ in range(draws):
                        found = estimate(kind(rng, c, m, p)).ci95
                        assert found is not None
                        held += found[0] - 1e-12 <= p <= found[1] + 1e-12
                        widths.append(found[1] - found[0])
                    share = held / draws
                    mark = "" if LOW <= share <= HIGH else "low" if share < LOW else "high"
                    print(f"| {name} | {kind.__name__} | {c} x {m} | {p} | {share:.1%} | "
                          f"{np.mean(widths):.3f} | {mark} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
