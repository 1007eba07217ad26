"""`er-bench export`: a run as tables that other programs read."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import er_bench as api
from er_bench.core.answer import Answer
from er_bench.core.completion import Completion
from er_bench.core.errors import StoreError
from er_bench.core.record import Record, RecordStatus
from er_bench.core.rollout import Rollout
from er_bench.core.score import Verdict
from er_bench.data.run_folder import read_manifest
from er_bench.report.exports.finished import FinishedRun, export
from er_bench.report.exports.spreadsheets import RESULT_COLUMNS, SAMPLE_COLUMNS, to_csv
from er_bench.report.results import read_results
from er_bench.report.spreadsheet import csv_cell
from er_bench.run.store import RunStore
from tests.conftest import Command

AWKWARD = 'one, "two"\nthree;\r\n\'four\'\t"" ,\u2028é'


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    out = tmp_path_factory.mktemp("export") / "r"
    return api.evaluate("reference/chance", "refspatial,erqa", split="mini", repeats=2, out=out)


def test_the_tables_have_a_line_a_task_a_sample_and_reading(
    run: api.Run, er_bench: Command, tmp_path: Path
) -> None:
    done = er_bench("export", run.folder, "tables")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "tables"
    assert done.stdout.split() == [
        "written:", "tables/results.csv", "written:", "tables/samples.csv",
    ]  # fmt: skip
    results, samples = rows(folder / "results.csv"), rows(folder / "samples.csv")
    assert tuple(results[0]) == RESULT_COLUMNS and tuple(samples[0]) == SAMPLE_COLUMNS
    n_readings = {task: len(made.readings) for task, made in run.results.tasks.items()}
    assert len(results) == sum(n_readings.values()) > 2 * len(n_readings)
    assert len(samples) == sum(len(record.judgement) for record in run.records)
    assert len(samples) == 60 * n_readings["refspatial"] + 64 * n_readings["erqa"]


def test_the_numbers_are_those_of_the_run(run: api.Run, tmp_path: Path) -> None:
    results_file, samples_file = export(run.folder, to_csv, tmp_path / "deep" / "tables")
    for row in rows(results_file):
        task = run.results.tasks[row["task"]]
        found = task.readings[row["reading"]]
        told = [float(row[name]) for name in ("score", "stderr", "ci95_low", "ci95_high")]
        assert told == [found.score, found.stderr, *(found.ci95 or ())]
        assert int(row["n_scored"]) == task.n_scored == int(row["n_total"])
        assert (row["split"], row["protocol"], row["status"]) == ("mini", "official", "complete")
    scores = [float(r["score"]) for r in rows(samples_file)
              if (r["task"], r["reading"]) == ("erqa", "official")]  # fmt: skip
    assert sum(scores) / len(scores) == pytest.approx(run.results.tasks["erqa"].score)


def written(run: api.Run, folder: Path, *records: Record) -> list[dict[str, str]]:
    """The lines of `samples.csv` for a run with these records."""
    with RunStore(folder, run.manifest, resume=False) as store:
        for record in records:
            store.append(record)
    (folder / "out").mkdir()
    made = FinishedRun(folder, read_manifest(folder), run.results)
    _, samples = to_csv(made, folder / "out")
    return rows(samples)


def scored(text: str, **more: Any) -> Record:
    verdict = Verdict(Answer.unparsed(AWKWARD), 0.0, why=AWKWARD)
    return Record(
        task="erqa", cluster="c", category="k, l", status=RecordStatus.SCORED,
        rollout=Rollout.answered(Completion(text)), judgement={"official": verdict},
        **{"id": "x", **more},
    )  # fmt: skip


def test_commas_quotes_and_line_breaks_come_back_as_they_were(run: api.Run, tmp_path: Path) -> None:
    (row,) = written(run, tmp_path, scored(AWKWARD, id='a"b,c'))
    assert (row["text"], row["why"]) == (AWKWARD, AWKWARD)
    assert (row["id"], row["category"], row["answer_status"]) == ('a"b,c', "k, l", "unparsed")


@settings(max_examples=40)
@given(text=st.text(alphabet=st.sampled_from("a,\"'\n\r;\t é"), min_size=1, max_size=30))
def test_any_answer_comes_back_as_it_was(
    run: api.Run, tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    (row,) = written(run, tmp_path_factory.mktemp("any"), scored(text))
    assert row["text"] == csv_cell(text), "as it was, but for an apostrophe before a formula"


def test_a_failed_sample_has_a_line_with_its_error(run: api.Run, tmp_path: Path) -> None:
    failed = Record(task="erqa", id="x", cluster="c", category="k",
                    status=RecordStatus.MODEL_ERROR, error="no answer,\nsorry")  # fmt: skip
    (row,) = written(run, tmp_path, failed)
    assert (row["status"], row["error"]) == ("model_error", "no answer,\nsorry")
    assert row["reading"] == row["score"] == row["text"] == ""


def test_an_unfinished_run_is_refused(run: api.Run, er_bench: Command, tmp_path: Path) -> None:
    with RunStore(tmp_path / "begun", run.manifest, resume=False):
        pass
    done = er_bench("export", "begun", "tables")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "begun holds no results.json; make it with: er-bench score --run begun" in done.stderr
    assert not (tmp_path / "tables").exists()


def test_what_is_no_run_is_refused(er_bench: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = er_bench("export", "empty", "tables")
    assert done.returncode == 2 and "empty is not a run folder" in done.stderr
    with pytest.raises(StoreError, match="not a run folder"):
        export(tmp_path / "gone", to_csv, tmp_path / "tables")


def test_an_unknown_format_is_wrong_usage_that_names_csv(
    run: api.Run, er_bench: Command, tmp_path: Path
) -> None:
    done = er_bench("export", run.folder, "tables", "--format", "xlsx")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "no exporter 'xlsx'" in done.stderr and "there are: csv" in done.stderr


def test_a_task_that_is_unavailable_is_a_line_without_numbers(tmp_path: Path) -> None:
    made = api.evaluate("reference/oracle", "eb_habitat", split="mini", out=tmp_path / "r")
    assert read_results(made.folder).tasks["eb_habitat"].status == "unavailable"
    results_file, samples_file = export(made.folder, to_csv, tmp_path / "out")
    lines = rows(results_file)
    assert {row["status"] for row in lines} == {"unavailable"}
    assert {row["score"] for row in lines} == {""} and rows(samples_file) == []
    assert json.loads((made.folder / "results.json").read_text())["summary"]["average"] is None
