"""Where er-bench keeps what it has fetched or installed."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`$ER_BENCH_CACHE`, or `er-bench` in the user's cache folder."""
    told = os.environ.get("ER_BENCH_CACHE")
    if told:
        return Path(told)
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "er-bench"
