"""What a policy server answered, as a chunk of actions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from er_bench.core.array import described
from er_bench.core.errors import ModelError
from er_bench.core.policy import Actions
from er_bench.core.space import Space


def read_actions(value: object, space: Space, most: int | None = None) -> Actions:
    """An action `(D,)` or a chunk `(T, D)`, array or lists of numbers, of which `most` are taken.

    A server tells neither units nor frame: they are the space's. Raises ModelError for anything
    else than finite numbers of that size.
    """
    array = _numbers(value)
    chunk_td = array[None] if array.ndim == 1 else array
    if chunk_td.ndim != 2 or chunk_td.shape[1] != space.dimension or not len(chunk_td):
        raise ModelError(
            f"the server's actions are {array.shape}; the environment takes chunks (T, "
            f"{space.dimension}) of {', '.join(space.names)}"
        )
    return Actions(chunk_td[:most], space.units, space.frame)


def _numbers(value: object) -> NDArray[np.float64]:
    if isinstance(value, list):
        rows = value if value and all(isinstance(row, list) for row in value) else [value]
        if not all(type(n) in (int, float) for row in rows for n in row):
            raise ModelError("the server's actions are a list of what is not numbers")
        if len({len(row) for row in rows}) > 1:
            raise ModelError("the server's actions are lists of different lengths")
        value = _floats(value)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        raise ModelError(f"the server's actions are {described(value)}, no numbers")
    return value.astype(np.float64)


def _floats(value: list[object]) -> object:
    try:
        return np.array(value, np.float64)
    except OverflowError as error:
        raise ModelError("the server's actions hold a number beyond float64") from error
