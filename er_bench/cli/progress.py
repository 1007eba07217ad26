"""Progress of a run: a live bar on a terminal, plain lines on a pipe."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from er_bench.core.answer import Status
from er_bench.core.record import Record, RecordStatus
from er_bench.core.task import OFFICIAL

LINE_EVERY_S = 15.0


class RunProgress:
    """Counts records and shows done, errors, unparsed, tokens/s and the time left."""

    def __init__(self, total: int, console: Console | None = None, *, quiet: bool = False) -> None:
        self.total, self.done, self.errors, self.unparsed, self.tokens = total, 0, 0, 0, 0
        self._console = console or Console(file=sys.stderr, quiet=quiet)
        self._start = self._last_line = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[counts]}"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.start()
            self._row = self._bar.add_task("samples", total=self.total, counts="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self.done:
            self._line()

    def add(self, record: Record) -> None:
        """Count one record."""
        self.done += 1
        self.errors += record.status is not RecordStatus.SCORED
        official = record.judgement.get(OFFICIAL)
        self.unparsed += official is not None and official.answer.status is Status.UNPARSED
        self.tokens += sum(c.tokens_out or 0 for c in record.completions())
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._row, completed=self.done, counts=self._counts(now))
        elif now - self._last_line >= LINE_EVERY_S:
            self._line()

    def _counts(self, now: float) -> str:
        rate = self.tokens / max(now - self._start, 1e-9)
        return f"{self.errors} errors, {self.unparsed} unparsed, {rate:,.0f} tokens/s"

    def _line(self) -> None:
        now = time.monotonic()
        self._last_line = now
        left_s = (now - self._start) / self.done * (self.total - self.done)
        self._console.print(
            f"{self.done}/{self.total} samples, {self._counts(now)}, about {left_s:,.0f} s left",
            highlight=False,
        )
