"""Two runs, or a run and a reported row, side by side: what differs, by how much, on which samples.

The difference is always the second minus the first. Runs are compared sample by sample where both
have one; a reported score has no samples, and is compared with its number alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import JsonValue

from er_bench.core.errors import DataError, UsageError
from er_bench.core.manifest import Manifest
from er_bench.core.record import Record, RecordStatus
from er_bench.core.score import Scored
from er_bench.core.task import OFFICIAL
from er_bench.report import paired
from er_bench.report.intervals import difference_interval
from er_bench.report.results import Results
from er_bench.report.statistics import Estimate, paired_difference

Aggregated = Callable[[Sequence[Scored]], float]
"""A task's headline of its samples."""
Link = Callable[[str, str], str]
"""The address of a sample in pages, by task and id."""
MOST_LISTED = 20
"""Samples that a table names; data have all."""


@dataclass(frozen=True, slots=True)
class Side:
    """One run as it is compared."""

    folder: Path
    manifest: Manifest
    results: Results
    records: Iterable[Record]

    @property
    def name(self) -> str:
        """The model and the folder."""
        return f"{self.manifest.model.name} ({self.folder})"


@dataclass(frozen=True, slots=True)
class Difference:
    """A number of the second run minus that of the first, fractions."""

    value: float
    stderr: float | None
    ci95: tuple[float, float] | None
    n: int
    """Samples that both have, repeats counted once."""


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """One task of two runs under one reading."""

    task: str
    scores: tuple[float, float]
    """Of the samples that both have."""
    difference: Difference
    test: str
    """mcnemar, t, bootstrap or unpaired."""
    p: float | None
    p_holm: float | None
    """Over all tasks of the comparison."""
    won: Sequence[str] = ()
    """Samples where the second is better, by id."""
    lost: Sequence[str] = ()
    lower_is_better: bool = False
    only: tuple[Sequence[str], Sequence[str]] = ((), ())
    """Samples that the first alone has scored, and the second alone."""
    categories: Mapping[str, Difference] = field(default_factory=dict)

    @property
    def gain(self) -> float:
        """The difference as more is better."""
        return -self.difference.value if self.lower_is_better else self.difference.value


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that is told of two sides."""

    names: tuple[str, str]
    reading: str
    settings: Mapping[str, tuple[JsonValue, JsonValue]]
    """What differs in how they were made, by its name in the manifest."""
    tasks: Sequence[TaskComparison]
    not_shared: tuple[Sequence[str], Sequence[str]] = ((), ())
    """Tasks that the first alone has, and the second alone."""
    paired: bool = True


def compare(
    a: Side,
    b: Side,
    headlines: Mapping[str, Aggregated | None],
    reading: str = OFFICIAL,
    *,
    lower: Collection[str] = (),
    accept_data: bool = False,
) -> Comparison:
    """Two runs, paired, in the tasks of `headlines`.

    `headlines` has the aggregate of each task; None where it is the mean.

    `lower` are the tasks where a lower score is better: won and lost are told by it, the difference
    stays the second minus the first.

    Raises DataError for tasks with other rows, unless `accept_data`, and UsageError for runs
    without a task in common.
    """
    tasks_of_b = b.manifest.identity.tasks
    labels = [x for x in a.manifest.identity.tasks if x in tasks_of_b and x in headlines]
    if not labels:
        raise UsageError(f"{a.folder} and {b.folder} have no task in common")
    if not accept_data:
        _check_rows(a.manifest, b.manifest, labels)
    seen_a, seen_b = (_by_sample(side.records, reading) for side in (a, b))
    tasks = [
        _task(
            label,
            seen_a.get(label, {}),
            seen_b.get(label, {}),
            headlines[label],
            lower=label in lower,
        )
        for label in labels
    ]
    only = tuple(
        [label for label in side.identity.tasks if label not in labels]
        for side in (a.manifest, b.manifest)
    )
    return Comparison(
        (a.name, b.name),
        reading,
        _settings(a.manifest, b.manifest, labels),
        _with_holm(tasks),
        (only[0], only[1]),
    )


def compare_reported(
    run: Side, name: str, scores: Mapping[str, float], *, reported_first: bool
) -> Comparison:
    """A run and a reported row, fractions by task: unpaired, for a score has no samples."""
    found = []
    for label, task in run.results.tasks.items():
        if label not in scores or task.score is None:
            continue
        value, sign = task.score - scores[label], 1 if reported_first else -1
        both = (scores[label], task.score) if reported_first else (task.score, scores[label])
        interval = None
        if task.stderr is not None and task.n_clusters > 1:
            interval = difference_interval(sign * value, task.stderr, task.n_clusters)
        p = paired.t_test(Estimate(value, task.stderr, None, task.n_scored, task.n_clusters))
        difference = Difference(sign * value, task.stderr, interval, task.n_scored)
        found.append(TaskComparison(label, both, difference, "unpaired", p, None))
    if not found:
        raise UsageError(f"{run.folder} has no score of a task that {name} reports")
    names = (name, run.name) if reported_first else (run.name, name)
    return Comparison(names, OFFICIAL, {}, _with_holm(found), paired=False)


Samples = Mapping[str, Sequence[tuple[int, Scored]]]
"""By sample id: repeat and what an aggregate sees, in the order of the repeats."""


def _by_sample(
    records: Iterable[Record], reading: str
) -> dict[str, dict[str, list[tuple[int, Scored]]]]:
    found: dict[str, dict[str, list[tuple[int, Scored]]]] = {}
    for record in records:
        if record.status is not RecordStatus.SCORED:
            continue
        verdict = record.judgement.get(reading)
        if verdict is None:
            raise UsageError(
                f"the runs have no reading {reading!r} of task {record.task}; it has "
                f"{', '.join(record.judgement)}"
            )
        seen = Scored(record.cluster, record.category, verdict.score, verdict.parts)
        samples = found.setdefault(record.task, {})
        samples.setdefault(record.id, []).append((record.repeat, seen))
    return found


def _task(
    label: str, a: Samples, b: Samples, headline: Aggregated | None, *, lower: bool
) -> TaskComparison:
    ids = sorted(a.keys() & b.keys(), key=lambda i: (a[i][0][1].cluster, i))
    pairs = [(_of(a[i]), _of(b[i])) for i in ids]
    clusters = [a[i][0][1].cluster for i in ids]
    means = [(_mean(x), _mean(y)) for x, y in pairs]
    found = _difference(pairs, clusters, means, headline)
    won = [i for i, (x, y) in zip(ids, means, strict=True) if _better(y, x)]
    lost = [i for i, (x, y) in zip(ids, means, strict=True) if _better(x, y)]
    won, lost = (lost, won) if lower else (won, lost)
    whole = all(x in (0, 1, None) and y in (0, 1, None) for x, y in means)
    single = len(set(clusters)) == len(clusters)
    if headline is not None:
        test, p = "bootstrap", paired.t_test(found)
    elif whole and single and len(ids) <= paired.MOST_EXACT:
        test, p = "mcnemar", paired.mcnemar(len(won), len(lost))
    else:
        test, p = "t", paired.t_test(found)
    categories = {}
    for category in sorted({a[i][0][1].category for i in ids}):
        kept = [k for k, i in enumerate(ids) if a[i][0][1].category == category]
        part = _difference(
            [pairs[k] for k in kept], [clusters[k] for k in kept], [means[k] for k in kept], None
        )
        categories[category] = _told(part)
    return TaskComparison(
        label,
        (_score([x for x, _ in pairs], headline), _score([y for _, y in pairs], headline)),
        _told(found),
        test,
        p,
        None,
        won,
        lost,
        lower,
        (sorted(a.keys() - b.keys()), sorted(b.keys() - a.keys())),
        categories if len(categories) > 1 else {},
    )


def _difference(
    pairs: Sequence[tuple[Sequence[Scored], Sequence[Scored]]],
    clusters: Sequence[str],
    means: Sequence[tuple[float | None, float | None]],
    headline: Aggregated | None,
) -> Estimate:
    if headline is not None:

        def statistic(sides: Sequence[Sequence[Scored]]) -> float:
            return headline([scored for side in sides for scored in side])

        return paired.bootstrap_difference(pairs, clusters, statistic)
    kept = [
        (x, y, cluster)
        for (x, y), cluster in zip(means, clusters, strict=True)
        if x is not None and y is not None
    ]
    return paired_difference(
        [y for _, y, _ in kept], [x for x, _, _ in kept], [cluster for _, _, cluster in kept]
    )


def _score(sides: Sequence[Sequence[Scored]], headline: Aggregated | None) -> float:
    if headline is not None:
        return headline([scored for side in sides for scored in side])
    means = [m for m in map(_mean, sides) if m is not None]
    return math.fsum(means) / len(means) if means else math.nan


def _of(repeats: Sequence[tuple[int, Scored]]) -> list[Scored]:
    return [scored for _, scored in sorted(repeats, key=lambda one: one[0])]


def _mean(repeats: Sequence[Scored]) -> float | None:
    """Of a sample's repeats; None where the reading leaves all of them out."""
    scores = [s.score for s in repeats if s.score is not None]
    return math.fsum(scores) / len(scores) if scores else None


def _better(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one > other


def _told(found: Estimate) -> Difference:
    return Difference(found.value, found.stderr, found.ci95, found.n)


def _with_holm(tasks: Sequence[TaskComparison]) -> list[TaskComparison]:
    tested = [task for task in tasks if task.p is not None]
    adjusted = dict(
        zip(
            (task.task for task in tested),
            paired.holm([task.p for task in tested if task.p is not None]),
            strict=True,
        )
    )
    return [replace(task, p_holm=adjusted.get(task.task)) for task in tasks]


def _check_rows(a: Manifest, b: Manifest, labels: Sequence[str]) -> None:
    for label in labels:
        ours, theirs = a.identity.tasks[label], b.identity.tasks[label]
        if ours.data_fingerprint != theirs.data_fingerprint:
            raise DataError(
                f"{label}: the runs have other rows (fingerprints {ours.data_fingerprint[:12]}, "
                f"{theirs.data_fingerprint[:12]}); --accept-data compares what both have by id"
            )


def _settings(
    a: Manifest, b: Manifest, labels: Sequence[str]
) -> dict[str, tuple[JsonValue, JsonValue]]:
    """What differs in two manifests, of the tasks that both have; times and commands left out."""
    flat = []
    for manifest in (a, b):
        told = manifest.model_dump(mode="json", include={"info", "model", "identity", "options"})
        tasks = told["identity"]["tasks"]
        told["identity"]["tasks"] = {label: tasks[label] for label in labels}
        del told["identity"]["model"], told["options"]["data"]
        del told["info"]["created"], told["info"]["command"]
        flat.append(_flat(told))
    return {
        name: (flat[0].get(name), flat[1].get(name))
        for name in {**flat[0], **flat[1]}
        if flat[0].get(name) != flat[1].get(name)
    }


def _flat(value: JsonValue, name: str = "") -> dict[str, JsonValue]:
    if not isinstance(value, dict) or not value:
        return {name: value}
    found: dict[str, JsonValue] = {}
    for key, inner in value.items():
        found |= _flat(inner, f"{name}.{key}" if name else key)
    return found


def to_json(made: Comparison, link: Link | None = None) -> str:
    """A comparison as JSON: names, settings, tasks with differences, ids won and lost.

    With `link`, a task has `links`, by the ids of its samples won and lost.
    """
    told = asdict(made)
    if link is not None:
        for task in told["tasks"]:
            task["links"] = {i: link(task["task"], i) for i in (*task["won"], *task["lost"])}
    return json.dumps(_plain(told), indent=2, ensure_ascii=False)


def _plain(value: object) -> object:
    """NaN, which JSON cannot spell, as null."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
