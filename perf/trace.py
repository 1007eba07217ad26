"""What one sample passes through: functions, files, and switches between files.

    python perf/trace.py [--calls]      a sample of pointarena, an episode of home_alfred

Runs `er-bench run` with `reference/oracle` on the first three mini samples and follows the third,
when every cache is warm: the calls of er-bench's own functions from the task's `solve` until its
record is in the file. What the model does with a prompt is left out. A switch is a call into
another file than that of the call before. `--calls` lists the calls in order. Works on any commit
of er-bench.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import threading
from itertools import pairwise
from pathlib import Path
from types import FrameType

import er_bench

PACKAGE = Path(er_bench.__file__).resolve().parent
ROOMS = (PACKAGE, *(PACKAGE.parent / name for name in ("tasks", "scorers", "models")))
TASKS = ("pointarena", "home_alfred")
FOLLOWED = 3


class Trace:
    """Calls while a sample is on its way."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        """File and function, in order."""
        self._solves: list[FrameType] = []
        self._ended = False
        self._local = threading.local()
        self._places: dict[str, str | None] = {}

    def profile(self, frame: FrameType, event: str, arg: object) -> None:
        """What `sys.setprofile` calls."""
        file = self._place(frame.f_code.co_filename)
        if self._ended or file is None or event not in ("call", "return"):
            return
        name = frame.f_code.co_qualname
        if file.startswith("models/"):
            self._local.inside = getattr(self._local, "inside", 0) + (1 if event == "call" else -1)
            return
        if event == "call" and name.endswith(".solve") and frame not in self._solves:
            self._solves.append(frame)
        if len(self._solves) < FOLLOWED or getattr(self._local, "inside", 0):
            return
        if event == "call":
            self.calls.append((file, name))
        elif name == "RunStore.append":
            self._ended = True

    def _place(self, path: str) -> str | None:
        """The file's place in the package; None for other packages' files and generated code."""
        if path not in self._places:
            whole = Path(path).resolve()
            rooms = [room.resolve() for room in ROOMS if not path.startswith("<")]
            found = [str(whole.relative_to(r.parent)) for r in rooms if whole.is_relative_to(r)]
            self._places[path] = found[0] if found else None
        return self._places[path]

    def summary(self) -> str:
        """The three counts."""
        files = [file for file, _ in self.calls]
        switches = sum(a != b for a, b in pairwise(files))
        return (
            f"{len(set(self.calls)):4} functions in {len(set(files)):2} files, "
            f"{len(files):5} calls, {switches:5} switches between files"
        )


def traced(task: str) -> Trace:
    """One sample of a task, run from the command line's own entry."""
    from er_bench.cli.main import main

    trace = Trace()
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = ["er-bench", "run", "--model", "reference/oracle", "--tasks", task]
        sys.argv += ["--split", "mini", "--limit", str(FOLLOWED), "--concurrency", "1"]
        sys.argv += ["--out", folder]
        threading.setprofile(trace.profile)
        sys.setprofile(trace.profile)
        try:
            quiet = io.StringIO()
            with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                main()
        except SystemExit as end:
            assert not end.code, end.code
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return trace


if __name__ == "__main__":
    listed = "--calls" in sys.argv
    os.environ["ER_BENCH_HOME_RENDERER"] = "numpy"
    for task in TASKS:
        trace = traced(task)
        print(f"{task:12} {trace.summary()}")
        for file, name in trace.calls if listed else ():
            print(f"  {file:36} {name}")
