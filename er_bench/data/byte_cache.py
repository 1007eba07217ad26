"""Things used last, up to so many bytes, each made once even when several threads ask for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class ByteCache(Generic[V]):
    """Values by key; the one that was used longest ago goes first."""

    def __init__(self, limit_bytes: int, size: Callable[[V], int]) -> None:
        """Hold values of at most `limit_bytes`, as `size` counts each; always the newest one."""
        self._limit, self._size, self._held = limit_bytes, size, 0
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key, made if it is not held; what `make` raises is raised."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._guard:
                if key in self._values:
                    return self._values[key]
            value = make()
            self._keep(key, value)
            return value

    def _keep(self, key: Hashable, value: V) -> None:
        with self._guard:
            self._values[key] = value
            self._making.pop(key, None)
            self._held += self._size(value)
            while self._held > self._limit and len(self._values) > 1:
                self._held -= self._size(self._values.popitem(last=False)[1])
