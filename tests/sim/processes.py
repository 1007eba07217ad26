"""Which of the processes that a test started are still there."""

from __future__ import annotations

import time
from pathlib import Path

import psutil


def written(file: Path) -> list[int]:
    """The process ids in a file."""
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def left_behind(file: Path, limit_s: float = 10.0) -> list[int]:
    """Those that still run when all have had time to die; zombies do nothing and do not count."""
    end = time.monotonic() + limit_s
    while (alive := [pid for pid in written(file) if _runs(pid)]) and time.monotonic() < end:
        time.sleep(0.05)
    return alive


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
