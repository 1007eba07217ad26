"""`er-bench` in processes of their own that find its modules imported: forks of one that waits.

A command spends most of its time importing, and the tests give hundreds. Each is forked, with a
working folder, an environment and output of its own, and then runs as `python -m` would run it.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import runpy
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
COMMAND = "er_bench.cli.main"
IMPORTED = (
    *("er_bench.api", "er_bench.report.leaderboard", "er_bench.report.board_text"),
    *("er_bench.report.sheet", "er_bench.report.intervals", "er_bench.models.reference_policies"),
    *("er_bench.run.score_again", "er_bench.tasks.base.choice", "er_bench.tasks.base.place_task"),
    *("scipy.special", "pyarrow.parquet", "PIL.Image", "rich.markdown", "typer.rich_utils"),
)
"""Besides the command's own modules."""


class Forks:
    """The process that waits, and what it is told."""

    def __init__(self) -> None:
        self._environment = _steady(os.environ)
        self._one_at_a_time = threading.Lock()
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.commands"], cwd=ROOT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip

    def fit(self) -> bool:
        """Whether the environment is still that of the imports."""
        return _steady(os.environ) == self._environment

    def run(
        self, args: list[str], cwd: Path, outputs: Path, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """What `python -m er_bench.cli.main ARGS` does; `outputs` is a folder for what it prints.

        Raises subprocess.TimeoutExpired.
        """
        files = [str(outputs / "stdout"), str(outputs / "stderr")]
        job = {"args": args, "cwd": str(cwd), "environment": dict(os.environ), "files": files}
        with self._one_at_a_time:
            assert self._server.stdin is not None
            self._server.stdin.write(f"{json.dumps(job)}\n".encode())
            pid = self._told(60)
            try:
                code = self._told(timeout_s)
            except TimeoutError:
                os.kill(pid, 9)
                self._told(60)
                raise subprocess.TimeoutExpired(args, timeout_s) from None
        out, err = (Path(file).read_text(encoding="utf-8") for file in files)
        return subprocess.CompletedProcess(args, code, out, err)

    def _told(self, timeout_s: float) -> int:
        assert self._server.stdout is not None
        if not select.select([self._server.stdout], [], [], timeout_s)[0]:
            raise TimeoutError
        return int(self._server.stdout.readline())

    def close(self) -> None:
        """End the process that waits."""
        for pipe in (self._server.stdin, self._server.stdout):
            assert pipe is not None
            pipe.close()
        self._server.wait(20)


def _steady(environment: os._Environ[str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k != "PYTEST_CURRENT_TEST"}


def wait_for_work() -> bool:
    """Fork for each job that is told; True in a fork, False when no more come."""
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            become(json.loads(line))
            return True
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    return False


def become(job: dict[str, Any]) -> None:
    """Take folder, environment, arguments and output files of a job."""
    os.environ.clear()
    os.environ.update(job["environment"])
    os.chdir(job["cwd"])
    sys.argv[1:], sys.path[0] = job["args"], job["cwd"]
    for number, file in enumerate([os.devnull, *job["files"]]):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
        opened = os.open(file, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, closefd=False)
    sys.stdout = open(1, "w", closefd=False)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)


if __name__ == "__main__":
    cli = importlib.import_module("er_bench.cli")
    names = [f"er_bench.cli.{module.name}" for module in pkgutil.iter_modules(cli.__path__)]
    for name in (*names, *IMPORTED):
        if name != COMMAND:
            importlib.import_module(name)
    if wait_for_work():
        runpy.run_module(COMMAND, run_name="__main__", alter_sys=True)
