"""lmms-eval in a process of its own, by an interpreter that has it: where it is, and how to ask."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from er_bench.core.errors import ConfigError, ModelError, UsageError

PLACE = "ER_BENCH_LMMS_EVAL"
"""The variable that names the interpreter."""
WORKER = Path(__file__).with_name("lmms_eval_worker.py")
INSTALL = (
    "python -m venv lmms-eval && lmms-eval/bin/pip install lmms-eval==0.7.3, then "
    f"export {PLACE}=lmms-eval/bin/python"
)
LAST_LINES, SHOWN_CHARS = 6, 200
PROBE_S, END_S = 60.0, 10.0


class Answer(BaseModel):
    """One answer of the worker."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    text: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    failed: str = ""


class Answers(BaseModel):
    """A batch of them; `logged` is what lmms-eval logged as an error meanwhile."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    answers: tuple[Answer, ...]
    logged: tuple[str, ...] = ()


def interpreter(told: str | None) -> str:
    """The Python that has lmms-eval: the one told, else that of the variable, else this one."""
    return os.path.expanduser(told or os.environ.get(PLACE) or sys.executable)


def installed_version(python: str) -> str:
    """The version of lmms-eval that an interpreter has. Raises UsageError."""
    look = "from importlib.metadata import version; print(version('lmms-eval'))"
    try:
        found = subprocess.run(
            [python, "-c", look], capture_output=True, text=True, timeout=PROBE_S
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"cannot run {python}: {error}; lmms-eval: {INSTALL}") from error
    if found.returncode:
        raise UsageError(f"{python} has no lmms-eval: {INSTALL}")
    return found.stdout.strip()


class Worker:
    """One model of lmms-eval, loaded in a child process. Blocks; one thread asks at a time."""

    def __init__(self, python: str, model: str, args: Mapping[str, Any]) -> None:
        """Start it and load the model. Raises ConfigError when that fails."""
        self._printed: deque[str] = deque(maxlen=LAST_LINES)
        try:
            self._child = subprocess.Popen(
                [python, str(WORKER)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, encoding="utf-8", errors="replace", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise ConfigError(f"cannot run {python}: {error}") from error
        self._listener = threading.Thread(target=self._listen, name="lmms-eval", daemon=True)
        self._listener.start()
        try:
            reply = self._exchange({"model": model, **args})
        except ModelError as error:
            raise ConfigError(f"lmms-eval's {model}: {error}") from error
        if "refused" in reply:
            self.end()
            raise ConfigError(f"lmms-eval's {model}: {reply['refused']}")

    def answers(
        self, documents: Sequence[Mapping[str, Any]], generation: Mapping[str, Any]
    ) -> Answers:
        """One answer a document. Raises ModelError."""
        reply = self._exchange({"documents": documents, "generation": generation})
        if "failed" in reply:
            raise ModelError(f"lmms-eval: {reply['failed']}")
        try:
            return Answers.model_validate_json(json.dumps(reply))
        except ValidationError as error:
            raise ModelError(f"lmms-eval's process answered something else: {error}") from error

    def _exchange(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """One line there, one back. Raises a retryable ModelError when the process has ended."""
        assert self._child.stdin and self._child.stdout
        try:
            self._child.stdin.write(json.dumps(asked) + "\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline()
            reply = json.loads(line) if line else None
        except (OSError, ValueError):
            reply = None
        if not isinstance(reply, dict):
            code = self.end()
            words = " | ".join(self._printed) or "it printed nothing"
            raise ModelError(f"lmms-eval's process ended ({code}): {words}", retryable=True)
        return reply

    def _listen(self) -> None:
        assert self._child.stderr
        with self._child.stderr as printed:
            for line in printed:
                if line := " ".join(line.split())[-SHOWN_CHARS:]:
                    self._printed.append(line)

    def end(self, grace_s: float = END_S) -> int:
        """Let it end, within some seconds, with all that it started; its exit code."""
        assert self._child.stdin and self._child.stdout
        with contextlib.suppress(OSError, ValueError):
            self._child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(grace_s)
        with contextlib.suppress(OSError):
            os.killpg(self._child.pid, signal.SIGKILL)
        code = self._child.wait()
        self._listener.join(END_S)
        self._child.stdout.close()
        return code
