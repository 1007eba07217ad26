"""What works on this machine, what is missing, and the command that gets it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from er_bench.core.card import TaskCard
from er_bench.core.family import AnyFamily
from er_bench.core.registry import Kind, Registry

EXTRAS = {
    "hf": ("torch", "transformers", "safetensors"),
    "video": ("av",),
    "mujoco": ("mujoco",),
    "thor": ("ai2thor",),
    "vla": ("msgpack", "websockets"),
    "train": ("torch", "transformers", "accelerate", "tensorboard"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    what: str
    state: str
    next_step: str = ""


def missing_extra(extra: str) -> list[str]:
    """The packages of an extra that are not installed."""
    return [name for name in EXTRAS.get(extra, ()) if importlib.util.find_spec(name) is None]


def task_blockers(card: TaskCard) -> list[str]:
    """Why a task cannot run here at once: packages or a simulator that are absent."""
    blockers = [
        f"needs pip install 'er-bench[{extra}]'" for extra in card.needs if missing_extra(extra)
    ]
    if card.simulator:
        blockers.append(f"needs the simulator {card.simulator}; see er-bench describe {card.name}")
    return blockers


def examine(registry: Registry) -> Iterator[Finding]:
    """Everything worth knowing before a run, cheap to find out."""
    yield Finding("python", platform.python_version())
    for extra in EXTRAS:
        absent = missing_extra(extra)
        command = f"pip install 'er-bench[{extra}]'" if absent else ""
        state = f"missing: {', '.join(absent)}" if absent else "installed"
        yield Finding(f"extra [{extra}]", state, command)
    broken = broken_torchvision()
    yield from _torch()
    yield from _families(registry, broken)
    yield from _renderers()
    for name in ("HF_HOME", "HF_HUB_OFFLINE", "HF_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        yield Finding(f"environment {name}", "set" if os.environ.get(name) else "not set")
    free_gb = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Finding("disk free here", f"{free_gb:.0f} GiB")


def broken_torchvision() -> str | None:
    """Why an installed torchvision cannot be imported, or None.

    A CUDA build beside a CPU torch installs silently and then breaks transformers. The import is
    tried in another process, so that this one stays whole.
    """
    if importlib.util.find_spec("torchvision") is None:
        return None
    done = subprocess.run(
        [sys.executable, "-c", "import torchvision"], capture_output=True, text=True, check=False
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


def _torch() -> Iterator[Finding]:
    try:
        yield Finding("torch", version("torch"))
    except PackageNotFoundError:
        return
    done = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    count = done.stdout.strip()
    yield Finding(
        "GPUs", count if done.returncode == 0 else f"torch is broken: {done.stderr[-200:]}"
    )


def _families(registry: Registry, broken: str | None) -> Iterator[Finding]:
    """Each model family of the cards: whether its checkpoints can be run here."""
    if broken:
        step = "pip uninstall torchvision, or install the build for this torch"
        yield Finding("torchvision", f"broken: {broken}", step)
    for name in registry.names(Kind.FAMILY):
        family = cast(AnyFamily, registry.find(Kind.FAMILY, name))
        lacking = [p for p in family.packages if importlib.util.find_spec(p) is None]
        extra = missing_extra("hf")
        steps = ["pip install 'er-bench[hf]'"] if extra else []
        steps += [f"pip install {package} (the build for this torch)" for package in lacking]
        if broken and "torchvision" in family.packages:
            lacking.append("a torchvision that works")
        absent = ", ".join(extra + lacking)
        state = f"lacks {absent}" if absent else "can run here"
        yield Finding(f"models of family {name}", state, "; ".join(steps))


def _renderers() -> Iterator[Finding]:
    if importlib.util.find_spec("mujoco") is None:
        return
    for backend in ("egl", "osmesa"):
        code = "import mujoco; mujoco.GLContext(8, 8)"
        environment = {**os.environ, "MUJOCO_GL": backend}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                              check=False)  # fmt: skip
        step = "apt-get install libosmesa6" if done.returncode and backend == "osmesa" else ""
        yield Finding(f"MuJoCo with {backend}", "works" if not done.returncode else "fails", step)
