"""Runs in the formats of others."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from er_bench.core.manifest import Manifest
from er_bench.core.record import Record
from er_bench.data.files import write_text, writing
from er_bench.data.run_folder import read_manifest, read_records
from er_bench.report.results import Results, read_results
from er_bench.report.spreadsheet import csv_cell


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What an exporter gets: a run folder, read."""

    folder: Path
    manifest: Manifest
    results: Results

    def records(self) -> Iterator[Record]:
        """The records, one at a time."""
        return read_records(self.folder)


Exporter = Callable[[FinishedRun, Path], Iterable[Path]]
"""Writes a run into a folder that exists, and says which files it wrote."""


def export(folder: Path, exporter: Exporter, out: Path) -> list[Path]:
    """Write a run in a format into a folder. Raises StoreError when `folder` is no finished run."""
    run = FinishedRun(folder, read_manifest(folder), read_results(folder))
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    return list(exporter(run, out))


RESULT_COLUMNS = ("task", "split", "protocol", "status", "reading", "score", "stderr",
                  "ci95_low", "ci95_high", "n_scored", "n_total", "n_unparsed")  # fmt: skip
SAMPLE_COLUMNS = ("task", "id", "repeat", "category", "status", "reading", "score", "answer_status",
                  "why", "text", "error")  # fmt: skip


def to_csv(run: FinishedRun, out: Path) -> list[Path]:
    """`results.csv`, a line a task and reading; `samples.csv`, a line a sample and reading."""
    tables = {
        "results.csv": _table(RESULT_COLUMNS, _result_rows(run.results)),
        "samples.csv": _table(SAMPLE_COLUMNS, _sample_rows(run.records())),
    }
    for name, text in tables.items():
        write_text(out / name, text)
    return [out / name for name in tables]


def _result_rows(results: Results) -> Iterator[Sequence[object]]:
    for name, task in results.tasks.items():
        about = (name, task.split, task.protocol, task.status)
        for reading, found in task.readings.items():
            low, high = found.ci95 or (None, None)
            yield (*about, reading, found.score, found.stderr, low, high,
                   task.n_scored, task.n_total, found.n_unparsed)  # fmt: skip


def _sample_rows(records: Iterable[Record]) -> Iterator[Sequence[object]]:
    for record in records:
        about = (record.task, record.id, record.repeat, record.category, record.status)
        text = "\n".join(completion.text for completion in record.completions())
        if not record.judgement:
            yield (*about, None, None, None, None, text, record.error)
        for reading, verdict in record.judgement.items():
            yield (*about, reading, verdict.score, verdict.answer.status, verdict.why, text, "")


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return "".join(map(_line, [columns, *rows]))


def _line(row: Sequence[object]) -> str:
    # Told of another line end than CRLF, Python 3.11 leaves a carriage return without quotes.
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(map(csv_cell, row))
    return out.getvalue().removesuffix("\r\n") + "\n"


EXPORTERS: Mapping[str, Exporter] = {"csv": to_csv}
"""The formats by name; `er_bench.exporters` adds to them."""
