"""Multiple-choice questions: options in an order that puts the right one at a given letter."""

from __future__ import annotations

import random
from collections.abc import Sequence

LETTERS = "ABCD"


def balanced_letters(rng: random.Random, count: int, letters: str = LETTERS) -> list[str]:
    """`count` letters in random order, each as often as any other, give or take one."""
    chosen = [letters[k % len(letters)] for k in range(count)]
    rng.shuffle(chosen)
    return chosen


def options(
    rng: random.Random, right: str, wrong: Sequence[str], letter: str, letters: str = LETTERS
) -> dict[str, str]:
    """The options by letter: the right one at `letter`, others drawn from `wrong`.

    Raises:
        ValueError: there are too few wrong ones, or the right one is among them.
    """
    if right in wrong:
        raise ValueError(f"{right!r} is right and wrong")
    others = iter(rng.sample(list(dict.fromkeys(wrong)), len(letters) - 1))
    return {key: right if key == letter else next(others) for key in letters}
