"""Arrays that cross a boundary: which kinds may, and the checks that pydantic makes of them."""

from __future__ import annotations

from typing import Annotated, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainValidator

Array: TypeAlias = NDArray[np.generic]
S = TypeVar("S", bound=np.generic)
DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
"""What an array that crosses a boundary may hold."""


def frozen(array: NDArray[S]) -> NDArray[S]:
    """The same numbers in an array that nobody can change; a copy unless it is one already."""
    if not array.flags.writeable and array.dtype.isnative:
        return array
    copy = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    copy.flags.writeable = False
    return copy


def same(one: Array, other: Array) -> bool:
    """Whether two arrays have one kind, one shape and, bit by bit, the same content."""
    kind = one.dtype == other.dtype and one.shape == other.shape
    return kind and one.tobytes() == other.tobytes()


def described(value: object) -> str:
    """What a value is, for messages: `float32 (3,)`, `str`."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return type(value).__name__


def _vector(value: object) -> NDArray[np.float64]:
    if not isinstance(value, np.ndarray) or value.dtype != np.float64 or value.ndim != 1:
        raise ValueError(f"expected a float64 array (D,), not {described(value)}")
    wrong = np.flatnonzero(~np.isfinite(value))
    if wrong.size:
        raise ValueError(f"component {wrong[0]} is {value[wrong[0]]}")
    return frozen(value)


def _seen(value: object) -> bytes | Array:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, np.ndarray) or value.dtype.name not in DTYPES:
        raise ValueError(
            f"expected PNG bytes or an array of {', '.join(DTYPES)}, not {described(value)}"
        )
    return frozen(value)


Vector = Annotated[NDArray[np.float64], PlainValidator(_vector)]
"""`(D,)` float64, every number finite."""
Seen = Annotated[bytes | Array, PlainValidator(_seen)]
"""PNG bytes, or an array of one of DTYPES."""
