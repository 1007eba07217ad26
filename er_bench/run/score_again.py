"""Judging without a model: the records of a run, or answers made elsewhere.

Nothing is replayed: a judgement is a function of the sample and the rollout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from er_bench.core.errors import DataError, StoreError
from er_bench.core.manifest import Manifest
from er_bench.core.paths import resolved
from er_bench.core.record import SCHEMA_VERSION, Record, RecordStatus
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.task import AnySample, AnyTask
from er_bench.data.run_folder import read_media
from er_bench.run.evaluate import task_identity
from er_bench.run.media_identity import changed, told
from er_bench.run.open_tasks import MAX_ROWS, Opened, RowChoice, open_tasks
from er_bench.run.preflight import Inspection
from er_bench.run.records import make_record
from er_bench.run.store import stray


def opened_for_run(registry: Registry, manifest: Manifest, data: Path | None) -> list[Opened]:
    """The tasks of a run, opened again; those that could not run are `why_not` still.

    Raises DataError when the rows are not those of the run.
    """
    told = manifest.options
    limited = told.limit is None or 1 <= told.limit <= MAX_ROWS
    if told.split not in ("official", "mini") or not limited:
        raise StoreError(
            f"the manifest names a split {told.split!r} and a limit {told.limit} that there "
            "cannot be; it is damaged: make the run again"
        )
    given = data or (Path(told.data) if told.data else None)
    choice = RowChoice(
        list(manifest.identity.tasks), told.split, given, told.limit, accept_data=True
    )
    opened = open_tasks(registry, choice, manifest.model.dialect, None)
    for o in opened:
        then = manifest.identity.tasks.get(o.task.label)
        if then is None or o.task.label not in manifest.tasks:
            raise StoreError(
                f"the manifest does not say what the run is of {o.task.label}; it is damaged: "
                "make the run again"
            )
        if then.data_fingerprint != o.found.fingerprint:
            raise DataError(
                f"{o.task.label}: these rows are not the ones of the run: "
                f"fingerprint {o.found.fingerprint}, in the run {then.data_fingerprint}; "
                "give the run's data with --data",
                file=o.task.root,
            )
        o.found.prompt_sha256 = then.prompt_sha256
        o.found.media_fingerprint = then.media_fingerprint
    for label, plan in manifest.tasks.items():
        if label not in manifest.identity.tasks:
            opened.append(_not_run(registry, label, plan.why_not, manifest.model.dialect))
    return opened


def check_masks(folder: Path, opened: Sequence[Opened]) -> None:
    """Raise DataError, naming them, when masks are others than when the run was made."""
    for o in opened:
        now = {(m.id, m.position): m for m in o.found.media}
        then = [m for m in read_media(folder, o.task.label) if (m.id, m.position) in now]
        if names := changed(then, [now[m.id, m.position] for m in then]):
            raise DataError(
                f"{o.task.label}: these masks are not the ones of the run: {told(names)}; "
                "give the run's data with --data, or make the run again",
                file=o.task.root,
            )


def ids_of_run(registry: Registry, manifest: Manifest, data: Path | None) -> dict[str, set[str]]:
    """The samples of each task of a run. Raises DataError when its rows are not at hand."""
    limit = manifest.options.limit
    return {
        o.task.label: {sample.id for sample in islice(o.task.samples(), limit)}
        for o in opened_for_run(registry, manifest, data)
        if o.why_not is None
    }


def _not_run(registry: Registry, label: str, why_not: str | None, dialect: str) -> Opened:
    """A task that the run names and could not run."""
    name, _, protocol = label.partition("@")
    registry.task_card(name)
    spec = TaskSpec(name, registry.task_folders[name], protocol or None, dialect, with_media=False)
    task = registry.open_task(spec)
    why_not = why_not or "it was not run"
    return Opened(task, task.card.default_split, Inspection(), [], why_not=why_not)


def fresh_manifest(
    manifest: Manifest, opened: Sequence[Opened], data: Path | None = None
) -> Manifest:
    """The manifest of a run whose records are judged again, on rows that may have moved."""
    tasks = {o.task.label: task_identity(o) for o in opened if o.why_not is None}
    identity = manifest.identity.model_copy(update={"tasks": tasks})
    roots = {o.task.label: str(o.task.root.absolute()) for o in opened if o.why_not is None}
    plans = {
        label: plan.model_copy(update={"root": roots.get(label, plan.root)})
        for label, plan in manifest.tasks.items()
    }
    told = {} if data is None else {"data": str(resolved(data))}
    return manifest.model_copy(
        update={
            "schema_version": SCHEMA_VERSION,
            "identity": identity,
            "tasks": plans,
            "options": manifest.options.model_copy(update=told),
        }
    )


def with_samples(
    folder: Path, manifest: Manifest, records: Iterable[Record], opened: Sequence[Opened]
) -> Iterator[tuple[AnyTask, AnySample, Record]]:
    """The records of a folder, each with its task and its sample.

    Raises StoreError for a record of another task, sample or repeat than the run has, and for a
    second record of one.
    """
    tasks = {o.task.label: o.task for o in opened if o.why_not is None}
    rows: dict[tuple[str, int], _Rows] = {}
    for record in records:
        task, label = tasks.get(record.task), (record.task, record.repeat)
        if task is None or record.repeat >= manifest.identity.repeats:
            raise stray(folder, record.key)
        if label not in rows:
            rows[label] = _Rows(task, manifest.options.limit)
        if (sample := rows[label].take(record.id)) is None:
            raise stray(folder, record.key)
        yield task, sample, record


def judged_again(
    folder: Path,
    manifest: Manifest,
    records: Iterable[Record],
    opened: Sequence[Opened],
    readings: Sequence[str] | None,
) -> Iterator[Record]:
    """The records of a folder, each judged anew; those of failed samples stay as they are.

    A sample whose rows are there now but cannot be judged becomes `data_error`. Raises StoreError
    for records that are not the run's.
    """
    for task, sample, record in with_samples(folder, manifest, records, opened):
        yield judge_record(task, sample, record, readings)


class _Rows:
    """A task's samples by id, each taken once; records come nearly in the order of the rows."""

    def __init__(self, task: AnyTask, limit: int | None) -> None:
        self._rest = islice(task.samples(), limit)
        self._ahead: dict[str, AnySample] = {}

    def take(self, sample_id: str) -> AnySample | None:
        """Read on until a sample comes; None when it does not, or was taken."""
        while sample_id not in self._ahead:
            sample = next(self._rest, None)
            if sample is None:
                return None
            self._ahead[sample.id] = sample
        return self._ahead.pop(sample_id)


def judge_record(
    task: AnyTask, sample: AnySample, record: Record, readings: Sequence[str] | None
) -> Record:
    """The record, judged where it has an answer; `data_error` where the rows cannot judge it."""
    if record.status is not RecordStatus.SCORED:
        return record
    try:
        wanted = None if readings is None else [r for r in readings if r in task.readings]
        judgement = task.judge(sample, record.rollout, wanted)
    except DataError as error:
        status, why = RecordStatus.DATA_ERROR, f"{sample.where}: {error}"
        return make_record(task, sample, record.key, record.rollout, {}, status, why)
    again = make_record(task, sample, record.key, record.rollout, judgement)
    return again.model_copy(update={"seconds": record.seconds})
