"""A run told to an experiment tracker: W&B, or trackio, which has the same three functions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

from er_bench.core.errors import UnavailableError
from er_bench.core.record import Record, RecordStatus
from er_bench.report.results import Results

Library = Literal["wandb", "trackio"]
EVERY_S = 15.0
"""How often progress is told."""


class Tracker:
    """One run of a project."""

    def __init__(
        self, library: Library, project: str, name: str, settings: Mapping[str, object]
    ) -> None:
        """Begin it. Raises UnavailableError where the library is missing or will not begin."""
        try:
            self._library: Any = import_module(library)
        except ImportError as error:
            why = f"--{library} needs {library}, not installed here: pip install {library}"
            raise UnavailableError(why) from error
        try:
            self._library.init(project=project, name=name, config=dict(settings))
        except Exception as error:
            why = " ".join(str(error).split())[:300]
            raise UnavailableError(
                f"{library} does not begin a run of {project!r}: {why}"
            ) from error
        self._done = self._errors = 0
        self._told_at = time.monotonic()

    def add(self, record: Record) -> None:
        """Count a record; now and then the counts are told."""
        self._done += 1
        self._errors += record.status is not RecordStatus.SCORED
        if time.monotonic() - self._told_at >= EVERY_S:
            self._told_at = time.monotonic()
            self._library.log({"samples": self._done, "errors": self._errors})

    def finish(self, results: Results | None) -> None:
        """Tell the scores, fractions by `task/reading`, and end the run; without results end it."""
        if results is not None:
            self._library.log({"samples": self._done, "errors": self._errors, **scores(results)})
        self._library.finish()


def scores(results: Results) -> dict[str, float]:
    """Every score and count as a number by name; what was not measured is left out."""
    told: dict[str, float | None] = {"average": results.summary.average}
    for label, task in results.tasks.items():
        told |= {f"{label}/{name}": reading.score for name, reading in task.readings.items()}
        told |= {f"{label}/stderr": task.stderr, f"{label}/unparsed": task.n_unparsed}
        told |= {f"{label}/scored": task.n_scored, f"{label}/total": task.n_total}
    return {name: float(value) for name, value in told.items() if value is not None}
