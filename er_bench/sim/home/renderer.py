"""Which renderer draws the pictures: MuJoCo by EGL, by OSMesa, or numpy where neither works.

The choice is made once, by trying each in a process of its own (a broken OpenGL may crash), and is
handed on to child processes by ER_BENCH_HOME_RENDERER, which also fixes it by hand. All drawing of
a process happens in one thread, which owns the OpenGL context.
"""

from __future__ import annotations

import atexit
import io
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from er_bench.errors import UsageError
from er_bench.sim.home import raycast
from er_bench.sim.home.mujoco_gl import MujocoGl
from er_bench.sim.home.solids import Camera, Solid

VARIABLE = "ER_BENCH_HOME_RENDERER"
NUMPY = "numpy"
BACKENDS = {"mujoco-egl": "egl", "mujoco-osmesa": "osmesa"}
NAMES = (*BACKENDS, NUMPY)
_PROBE = "from er_bench.sim.home.mujoco_gl import MujocoGl; MujocoGl(32); import os; os._exit(0)"
_PROBE_TIMEOUT_S = 60
_lock = threading.Lock()


def choose() -> str:
    """The renderer of this process. Raises UsageError when the variable names none."""
    with _lock:
        name = os.environ.get(VARIABLE)
        if name is None:
            name = next((n for n in BACKENDS if _works(n)), NUMPY)
            os.environ[VARIABLE] = name
        if name not in NAMES:
            raise UsageError(f"{VARIABLE} is {name!r}; expected one of {', '.join(NAMES)}")
        return name


def _works(name: str) -> bool:
    loaded = os.environ.get("MUJOCO_GL")
    if "mujoco" in sys.modules and loaded != BACKENDS[name]:
        return False
    environ = os.environ | {"MUJOCO_GL": BACKENDS[name]}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE], env=environ, capture_output=True,
            timeout=_PROBE_TIMEOUT_S, check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class _Studio:
    """The thread that draws, with one context for each size of picture."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="home-renderer")
        self._contexts: dict[int, MujocoGl] = {}
        atexit.register(self.close)

    def png(self, solids: Sequence[Solid], camera: Camera, n_px: int) -> bytes:
        return self._thread.submit(self._draw, solids, camera, n_px).result()

    def _draw(self, solids: Sequence[Solid], camera: Camera, n_px: int) -> bytes:
        from PIL import Image

        name = choose()
        if name == NUMPY:
            picture = raycast.render(solids, camera, n_px)
        else:
            if n_px not in self._contexts:
                os.environ["MUJOCO_GL"] = BACKENDS[name]
                self._contexts[n_px] = MujocoGl(n_px)
            picture = self._contexts[n_px].render(solids, camera)
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "PNG", compress_level=1)
        return out.getvalue()

    def close(self) -> None:
        for context in self._contexts.values():
            self._thread.submit(context.close).result()
        self._contexts.clear()
        self._thread.shutdown()


_studio: _Studio | None = None


def png(solids: Sequence[Solid], camera: Camera, n_px: int) -> bytes:
    """The picture as PNG, drawn off the caller's thread."""
    global _studio
    with _lock:
        _studio = _studio or _Studio()
    return _studio.png(solids, camera, n_px)
