"""Paths that users name."""

from __future__ import annotations

import os
from pathlib import Path


def resolved(path: Path | str) -> Path:
    """The absolute path without links and dots.

    Unlike `Path.resolve` it takes links that lead to themselves: opening such a path then fails as
    any other that is not there.
    """
    return Path(os.path.realpath(path))
