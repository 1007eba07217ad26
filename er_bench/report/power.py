"""How many samples a difference needs, and what difference a number of samples can show.

Normal approximation of two scores in [0, 1] (J. Cohen, Statistical Power Analysis, 1988), power 80%
at 5% two-sided. Clusters enter by the design effect (L. Kish, Survey Sampling, 1965): the variance
that was found over that of as many samples that stand alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.959964 + 0.841621
"""The quantiles of 97.5% and of 80%."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A score, and how alike the samples of a cluster are."""

    score: float
    design_effect: float


def alike(score: float, stderr: float, n: int) -> Alike:
    """What a run's score and clustered standard error over `n` samples say."""
    alone = score * (1 - score) / n
    return Alike(score, max(stderr**2 / alone, 1 / n) if alone > 0 else 1.0)


def samples_needed(found: Alike, effect: float, shared: float = 0.0) -> int:
    """Samples of each run; `shared` is the correlation of two runs over the same samples."""
    return math.ceil(Z**2 * _variance(found, shared) / effect**2)


def detectable_with(found: Alike, n: int, shared: float = 0.0) -> float:
    """The smallest true difference that `n` samples show."""
    return Z * math.sqrt(_variance(found, shared) / n)


def _variance(found: Alike, shared: float) -> float:
    """Of one sample's difference."""
    return 2 * (1 - shared) * found.score * (1 - found.score) * found.design_effect
