"""What a run was made with: packages, hardware, the checkout."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from er_bench.core.manifest import RunInfo
from er_bench.core.secrets import cut_from_text

PACKAGES = ("numpy", "pillow", "torch", "transformers", "vllm", "aiohttp", "av", "mujoco")


def run_info(command: Sequence[str], name: str = "", elsewhere: str = "") -> RunInfo:
    """When and with what a run begins, and what the user calls it.

    `elsewhere` says where the model is, if not in this process.
    """
    return RunInfo(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        er_bench_version=own_version(),
        git_sha=git_sha(),
        command=[cut_from_text(word) for word in command],
        packages=dict(_packages()),
        hardware=hardware() | ({"model": elsewhere} if elsewhere else {}),
    )


def own_version() -> str:
    """The installed version of er-bench."""
    try:
        return version("er-bench")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"


def git_sha() -> str | None:
    """Commit of the checkout that er-bench runs from, or None."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    done = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


@cache
def _packages() -> Mapping[str, str]:
    """Read once: what a process has imported does not change."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str]:
    """Platform, processor, Python, and the accelerator that torch has found."""
    facts = {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": str(os.cpu_count()),
        "python": platform.python_version(),
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        facts["accelerator"] = torch.cuda.get_device_name(0)
    return facts
