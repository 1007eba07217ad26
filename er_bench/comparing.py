"""The Python API of comparing runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from math import hypot, sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

from er_bench.core.errors import DataError, UsageError
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.score import Scored, mean_of_samples
from er_bench.core.task import OFFICIAL, AnyTask, Reading
from er_bench.data.run_folder import read_manifest, read_records
from er_bench.report import compare as comparison
from er_bench.report.intervals import difference_interval
from er_bench.report.leaderboard import column
from er_bench.report.reported import read_reported
from er_bench.report.results import Results, TaskResult, read_results

REPORTED = "reported:"


def compare(
    a: Path | str,
    b: Path | str,
    *,
    reading: str = OFFICIAL,
    accept_data: bool = False,
    include: Iterable[Path | str] = (),
) -> comparison.Comparison:
    """Compare two runs sample by sample, or a run and a reported row (`reported:MODEL@SOURCE`).

    Differences are b - a, fractions. Raises UsageError, StoreError, and DataError for runs over
    other rows unless `accept_data`.
    """
    reported = [str(side).startswith(REPORTED) for side in (a, b)]
    if all(reported):
        raise UsageError("two reported rows are two numbers; give a run as A or B")
    if any(reported):
        if reading != OFFICIAL:
            raise UsageError("a reported score is compared with the official reading alone")
        row, run = (a, b) if reported[0] else (b, a)
        name, scores = _reported(str(row))
        return comparison.compare_reported(
            _side(Path(run)), name, scores, reported_first=reported[0]
        )
    return _paired(Path(a), Path(b), reading, accept_data=accept_data, include=include)


def _paired(
    a: Path,
    b: Path,
    reading: str,
    *,
    accept_data: bool = False,
    include: Iterable[Path | str] = (),
    only_with_it: bool = False,
) -> comparison.Comparison:
    """Two runs; with `only_with_it`, in the tasks that have the reading."""
    sides = _side(a), _side(b)
    registry = Registry(tuple(map(Path, include)))
    labels = sides[0].manifest.identity.tasks.keys() & sides[1].manifest.identity.tasks.keys()
    tasks = {label: _opened(registry, label) for label in labels}
    if only_with_it:
        tasks = {label: task for label, task in tasks.items() if reading in task.readings}
    headlines = {label: _headline(task, reading) for label, task in tasks.items()}
    lower = [label for label, task in tasks.items() if _reading(task, reading).lower_is_better]
    return comparison.compare(*sides, headlines, reading, lower=lower, accept_data=accept_data)


class Ahead:
    """Tells which of two runs is better by a reading; each pair is compared once."""

    def __init__(self, reading: str = OFFICIAL) -> None:
        """Of no runs yet."""
        self._reading = reading
        self._results: dict[Path, Results] = {}
        self._compared: dict[tuple[Path, Path], Mapping[str, comparison.TaskComparison] | None] = {}

    def __call__(self, a: Path, b: Path, columns: Collection[str]) -> bool:
        """Whether run A is better than run B on average over these columns of the leaderboard.

        True where the 95% interval of the mean paired difference lies above zero; where the two ran
        other rows, of the difference of two independent averages.
        """
        tasks = self._tasks(a)
        labels = [
            label
            for label, task in tasks.items()
            if self._reading in task.readings and column(label, task, self._reading) in columns
        ]
        paired = self._paired(a, b)
        if paired is None:
            told = _unpaired(tasks, self._tasks(b), labels, self._reading)
        else:
            made = [paired[label] for label in labels if label in paired]
            told = [(task.gain, task.difference.stderr, task.difference.n) for task in made]
        if not told or any(stderr is None for _, stderr, _ in told):
            return False
        value = fmean(gain for gain, _, _ in told)
        stderr = sqrt(sum((error or 0.0) ** 2 for _, error, _ in told)) / len(told)
        low, _ = difference_interval(value, stderr, min(n for _, _, n in told))
        return low > 0

    def _tasks(self, run: Path) -> Mapping[str, TaskResult]:
        if run not in self._results:
            self._results[run] = read_results(run)
        return self._results[run].tasks

    def _paired(self, a: Path, b: Path) -> Mapping[str, comparison.TaskComparison] | None:
        """B to A by task; None where they ran other rows."""
        if (a, b) not in self._compared:
            try:
                found = _paired(b, a, self._reading, only_with_it=True)
                made = {task.task: task for task in found.tasks}
            except (DataError, UsageError):
                made = None
            self._compared[a, b] = made
        return self._compared[a, b]


def _unpaired(
    a: Mapping[str, TaskResult], b: Mapping[str, TaskResult], labels: Sequence[str], reading: str
) -> list[tuple[float, float | None, int]]:
    """By how much A is better, the error, and the samples of the smaller side, for each task."""
    told: list[tuple[float, float | None, int]] = []
    for label in labels:
        one, other = (
            a[label].readings[reading],
            b[label].readings.get(reading) if label in b else None,
        )
        if other is not None and one.score is not None and other.score is not None:
            gain = one.score - other.score
            known = one.stderr is not None and other.stderr is not None
            stderr = hypot(one.stderr or 0.0, other.stderr or 0.0) if known else None
            n = min(a[label].n_scored, b[label].n_scored)
            told.append((-gain if one.lower_is_better else gain, stderr, n))
    return told


def _side(folder: Path) -> comparison.Side:
    return comparison.Side(
        folder, read_manifest(folder), read_results(folder), read_records(folder)
    )


def _opened(registry: Registry, label: str) -> AnyTask:
    name, _, protocol = label.partition("@")
    registry.task_card(name)
    folder = registry.task_folders[name]
    return registry.open_task(TaskSpec(name, folder, protocol or None, with_media=False))


def _reading(task: AnyTask, reading: str) -> Reading[Any]:
    """A task's reading. Raises UsageError where it has none of that name."""
    if reading not in task.readings:
        raise UsageError(
            f"{task.label} has no reading {reading!r}; it has {', '.join(task.readings)}"
        )
    return task.readings[reading]


def _headline(task: AnyTask, reading: str) -> comparison.Aggregated | None:
    """What makes a task's headline of its samples; None where it is their mean."""
    aggregate = _reading(task, reading).aggregate
    as_official = aggregate == task.readings[OFFICIAL].aggregate
    if aggregate == mean_of_samples or (as_official and task.card.metric.aggregate == "mean"):
        return None

    def headline(scored: Sequence[Scored]) -> float:
        return aggregate(scored).score

    return headline


def _reported(word: str) -> tuple[str, Mapping[str, float]]:
    """Name and scores, fractions by task, of `reported:MODEL@SOURCE`."""
    model, _, source = word.removeprefix(REPORTED).rpartition("@")
    if not model:
        raise UsageError(f"{word!r:.100}: write reported:MODEL@SOURCE")
    found = read_reported(source)
    if model not in found.rows:
        near = get_close_matches(model, found.rows, 3) or list(found.rows)
        raise UsageError(f"{source} has no model {model!r:.80}; is it {', '.join(near)}?")
    scores = zip(found.columns, found.rows[model], strict=True)
    return f"{model} ({source})", {c: s / 100 for c, s in scores if s is not None}
