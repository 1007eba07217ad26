"""The version of er-bench that is installed."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def er_bench_version() -> str:
    """The version, as package metadata has it; `0+unknown` in a tree that was never installed."""
    try:
        return version("er-bench")
    except PackageNotFoundError:
        return "0+unknown"
