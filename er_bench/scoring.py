"""Judging kept answers, without a model: a run's, or ones made elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from er_bench.api import Run, check_split, counted
from er_bench.core.errors import UsageError
from er_bench.core.manifest import Identity, Manifest, ModelInfo, Rows
from er_bench.core.paths import resolved
from er_bench.core.record import SCHEMA_VERSION, Record
from er_bench.core.registry import Registry, unknown
from er_bench.core.task import OFFICIAL, ROBUST
from er_bench.data.files import write_text
from er_bench.data.run_folder import MEDIA, PROMPTS, TEXTS, read_manifest, read_records
from er_bench.report.counted import Counted
from er_bench.report.parted import Beside, beside, parted_csv
from er_bench.report.results_of_records import changed_numbers, numbers
from er_bench.run import evaluate as evaluation
from er_bench.run import score_again
from er_bench.run.answer_files import read_given
from er_bench.run.answer_rows import found
from er_bench.run.machine_facts import run_info
from er_bench.run.open_tasks import Opened, RowChoice, open_tasks
from er_bench.run.store import RunStore

FOREIGN_SCORES = "foreign_scores.csv"
"""What another harness made of each sample, beside the readings; in the folder of the answers."""


def score(
    run: Path | str,
    *,
    out: Path | str | None = None,
    data: Path | str | None = None,
    readings: Iterable[str] | None = None,
    include: Sequence[Path | str] = (),
) -> Run:
    """Judge a run's records again, without a model, into `out` (RUN-rescored by default).

    `readings` are names of readings, all by default; `official` and `robust` are always made.
    Raises StoreError when `run` is no run folder or `out` holds a run already, DataError when
    the rows or the masks are no longer those that the run used.
    """
    return score_and_compare(run, out=out, data=data, readings=readings, include=include)[0]


def score_and_compare(
    run: Path | str,
    *,
    out: Path | str | None = None,
    data: Path | str | None = None,
    readings: Iterable[str] | None = None,
    include: Sequence[Path | str] = (),
) -> tuple[Run, list[str]]:
    """`score`, and a line for every number that is another one now."""
    folder = Path(run)
    target = Path(out) if out else _beside(folder)
    registry, manifest = Registry(tuple(map(Path, include))), read_manifest(folder)
    rows = Path(data) if data else None
    opened = score_again.opened_for_run(registry, manifest, rows)
    score_again.check_masks(folder, opened)
    wanted = _wanted(opened, readings)
    before: dict[str, Counted] = {}

    def counted_before(records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            before.setdefault(record.task, Counted()).add(record)
            yield record

    fresh = score_again.fresh_manifest(manifest, opened, rows)
    with RunStore(target, fresh, resume=False) as store:
        for record in score_again.judged_again(
            folder, manifest, counted_before(read_records(folder)), opened, wanted
        ):
            store.append(record)
    for name in (PROMPTS, TEXTS, MEDIA):
        if (folder / name).exists():
            shutil.copyfile(folder / name, target / name)
    if (folder / "frames").is_dir():
        shutil.copytree(folder / "frames", target / "frames")
    numbers_before = numbers(before, [o.task for o in opened])
    before.clear()
    made = counted(target, opened)
    return made, changed_numbers(numbers_before, made.results)


def _beside(run: Path) -> Path:
    """RUN-rescored, also where RUN is a word like `.` that holds no name."""
    whole = resolved(run)
    parent = whole.parent if run.name in ("", "..") else run.parent
    return parent / f"{whole.name}-rescored"


def score_responses(
    task: str,
    responses: Path | str,
    out: Path | str,
    *,
    data: Path | str | None = None,
    split: str = "official",
    dialect: str = "benchmark",
    readings: Iterable[str] | None = None,
    accept_data: bool = False,
    include: Sequence[Path | str] = (),
) -> Run:
    """Judge answers made elsewhere. Samples without an answer are not scored.

    `responses` is er-bench's own JSON lines, or a sample file of lmms-eval, VLMEvalKit or EASI
    (`er_bench.run.answer_files`). Raises DataError for a damaged file, and for answers to samples
    that do not exist.
    """
    return score_responses_and_compare(
        task, responses, out, data=data, split=split, dialect=dialect, readings=readings,
        accept_data=accept_data, include=include,
    )[0]  # fmt: skip


def score_responses_and_compare(
    task: str,
    responses: Path | str,
    out: Path | str,
    *,
    data: Path | str | None = None,
    split: str = "official",
    dialect: str = "benchmark",
    readings: Iterable[str] | None = None,
    accept_data: bool = False,
    include: Sequence[Path | str] = (),
) -> tuple[Run, list[Beside], Sequence[str]]:
    """`score_responses`; the samples that the file has scores of, beside er-bench's; remarks.

    Those scores are written to `foreign_scores.csv` in `out` too.
    """
    check_split(split)
    file, registry = Path(responses), Registry(tuple(map(Path, include)))
    given = read_given(file)
    words = registry.select(task)
    if len(words) != 1:
        raise UsageError(f"answers are to one task; {task!r} stands for {', '.join(words)}")
    choice = RowChoice(words, split, Path(data) if data else None, accept_data=accept_data)
    opened = open_tasks(registry, choice, dialect, None)
    answers = found(opened[0].task, given, file)
    rows = Rows(split=split, data=str(resolved(data)) if data else None, limit=None)
    manifest = answers_manifest(file.stem, file.name, dialect, opened, rows)
    judged = partial(score_again.judge_record, readings=_wanted(opened, readings))
    samples: list[Beside] = []
    with RunStore(Path(out), manifest, resume=False, media=opened[0].found.media) as store:
        for record in answers.records(opened[0].task, judged):
            store.append(record)
            samples += beside([record], answers.scores)
    if samples:
        write_text(Path(out) / FOREIGN_SCORES, parted_csv(samples))
    return counted(Path(out), opened), samples, answers.remarks


def answers_manifest(
    name: str, source: str, dialect: str, opened: Sequence[Opened], rows: Rows, repeats: int = 1
) -> Manifest:
    """The manifest of a run whose answers were made elsewhere, by the model called `name`."""
    decoding: dict[str, JsonValue] = {}
    model = ModelInfo(
        name=name, card_sha256=None, checkpoint=source, revision=None,
        backend="responses", dialect=dialect, decoding=decoding,
    )  # fmt: skip
    return Manifest(
        schema_version=SCHEMA_VERSION,
        info=run_info(()),
        model=model,
        identity=Identity(
            model=model.model_dump(include={"name", "backend", "checkpoint", "dialect"}),
            tasks={o.task.label: evaluation.task_identity(o) for o in opened},
            repeats=repeats,
            seed=0,
        ),
        options=rows,
        tasks={o.task.label: evaluation.task_plan(o, repeats) for o in opened},
    )


def _wanted(opened: Sequence[Opened], readings: Iterable[str] | None) -> list[str] | None:
    """The readings to make. Raises UsageError for a name that no task has."""
    if readings is None:
        return None
    known = {name for o in opened for name in o.task.readings}
    wanted = list(dict.fromkeys([OFFICIAL, ROBUST, *readings]))
    if wrong := [name for name in wanted if name not in known]:
        raise unknown("reading", wrong[0], known)
    return wanted
