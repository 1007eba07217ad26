"""The Python API of explaining a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from er_bench.comparing import REPORTED
from er_bench.core.errors import UsageError
from er_bench.core.prompt import Expect
from er_bench.core.record import Record, RecordStatus
from er_bench.core.registry import Registry, unknown
from er_bench.core.task import OFFICIAL, ROBUST, AnySample, AnyTask, QuestionTask
from er_bench.data.run_folder import read_manifest, read_records
from er_bench.report.explain import Explanation, Otherwise
from er_bench.report.explain import explain as explained
from er_bench.report.reported import Reported, read_columns, read_reported
from er_bench.report.results import TaskResult, read_results
from er_bench.run import other_dialects, score_again

Judged = Sequence[tuple[AnySample, Record]]


def explain(
    run: Path | str,
    reported: str,
    *,
    task: str | None = None,
    data: Path | str | None = None,
    include: Iterable[Path | str] = (),
) -> list[Explanation]:
    """Why a run's scores are not those of `MODEL@SOURCE`, a task at a time.

    The answers are judged again: under every reading, and where the task asks for places in the
    neighbouring dialects. Raises UsageError for names that nobody knows and for a run that shares
    no task with the source, DataError when the run's rows are no longer there.
    """
    folder, registry = Path(run), Registry(tuple(map(Path, include)))
    source, model = _row(reported)
    manifest, results = read_manifest(folder), read_results(folder)
    cells, counts = source.cells(model), read_columns().counts
    shared = [
        label for label, made in results.tasks.items() if label in cells and made.score is not None
    ]
    if task is not None and task not in shared:
        raise unknown("task that both have", task, shared)
    if not shared:
        raise UsageError(f"{folder} has no score of a task that {model} in {source.name} reports")
    opened = score_again.opened_for_run(registry, manifest, Path(data) if data else None)
    kept: dict[str, list[tuple[AnySample, Record]]] = {}
    for found, sample, record in score_again.with_samples(
        folder, manifest, read_records(folder), opened
    ):
        if record.status is RecordStatus.SCORED:
            kept.setdefault(found.label, []).append((sample, record))
    tasks = {o.task.label: o.task for o in opened}
    return [
        explained(
            label,
            results.tasks[label],
            manifest,
            source,
            model,
            list(_frames(tasks[label], kept.get(label, []), registry)),
            _readings(results.tasks[label], kept.get(label, [])),
            counts.get(label),
        )
        for label in ([task] if task else shared)
    ]


def _row(word: str) -> tuple[Reported, str]:
    model, _, name = word.removeprefix(REPORTED).rpartition("@")
    if not model:
        raise UsageError(f"{word!r:.100}: write MODEL@SOURCE, as er-bench reported lists them")
    source = read_reported(name)
    if model not in source.rows:
        raise unknown(f"model of {name}", model, source.rows)
    return source, model


def _readings(task: TaskResult, judged: Judged) -> list[Otherwise]:
    """Every other reading of the run, with the samples that it scores differently."""
    found = []
    for name, made in task.readings.items():
        if name == OFFICIAL or made.score is None:
            continue
        scores = {r.id: r.judgement[name].score for _, r in judged if name in r.judgement}
        found.append(Otherwise("reading", name, made.score, *_moved(judged, scores)))
    return found


def _frames(task: AnyTask, judged: Judged, registry: Registry) -> Iterable[Otherwise]:
    """The answers in the neighbouring dialects, where places are asked for."""
    if not judged or not isinstance(task, QuestionTask):
        return
    if task.prompt(judged[0][0]).expects not in (Expect.POINTS, Expect.BOXES):
        return
    for dialect in other_dialects.neighbours(task.dialect, registry):
        made = other_dialects.read_otherwise(task, judged, dialect, ROBUST)
        if made is not None and made.made.score == made.made.score:
            yield Otherwise("frame", made.name, made.made.score, *_moved(judged, made.scores))


def _moved(judged: Judged, scores: Mapping[str, float | None]) -> tuple[list[str], list[str]]:
    """Ids of the samples that score more than officially, and less."""
    won, lost = [], []
    for _, record in judged:
        was, now = record.judgement[OFFICIAL].score, scores.get(record.id)
        if was is None or now is None or record.repeat:
            continue
        if now > was:
            won.append(record.id)
        elif now < was:
            lost.append(record.id)
    return won, lost
