"""Mean relative accuracy of a number."""

from __future__ import annotations

import numpy as np

# The bounds that the released code compares with: doubles, some a little off the decimal value.
_LIMITS = 1 - np.linspace(0.5, 0.95, int((0.95 - 0.5) / 0.05 + 2))


def mean_relative_accuracy(value: float, truth: float) -> float:
    """The share of ten tolerances, 50% down to 5%, that the relative error is within.

    `|p - g| / g <= 1 - theta` in doubles, `<=` where the paper's equation 1 has `<`.
    VSI-Bench `vsibench/utils.py`, commit 51e089c, lines 92-99. Departure: a truth of 0, where the
    released code divides by zero, gives 1 for 0 and 0 for anything else.
    """
    if truth == 0:
        return float(value == 0)
    return float(np.mean(abs(value - truth) / truth <= _LIMITS))
