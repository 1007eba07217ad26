"""Runs as CSV: numbers a line a task and reading, samples a line a sample and reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from er_bench.core.record import Record
from er_bench.data.files import write_text
from er_bench.report.exports.finished import FinishedRun
from er_bench.report.results import Results
from er_bench.report.spreadsheet import csv_line

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
    return "".join(map(csv_line, [columns, *rows]))
