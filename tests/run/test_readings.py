"""Readings by name: what `--reading` makes, and what `results.json` says of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import er_bench as api
from er_bench.report.results import read_results
from tests.conftest import Command

ALL = ["official", "robust", "any_hit", "first_point", "physbrain_f1", "lmms_eval"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    out = tmp_path_factory.mktemp("readings") / "r"
    return api.evaluate("reference/chance", "refspatial", split="mini", repeats=2, out=out)


def test_a_run_makes_every_reading(run: api.Run) -> None:
    assert list(run.results.tasks["refspatial"].readings) == ALL
    assert all(list(record.judgement) == ALL for record in run.records)


@pytest.mark.parametrize(
    ("flags", "made"),
    [
        (["--reading", "any_hit"], ["official", "robust", "any_hit"]),
        (["--reading", "lmms_eval,any_hit"], ["official", "robust", "any_hit", "lmms_eval"]),
        (["--reading", "official"], ["official", "robust"]),
        (["--reading", "all"], ALL),
        ([], ALL),
    ],
)
def test_the_named_readings_are_made_and_official_and_robust_always(
    flags: list[str], made: list[str], run: api.Run, er_bench: Command, tmp_path: Path
) -> None:
    done = er_bench("score", "--run", run.folder, "--out", "s", *flags)
    assert done.returncode == 0, done.stderr
    assert "every score is the same" in done.stdout
    assert ("read otherwise: any_hit" in done.stdout) == ("any_hit" in made)
    again, before = api.load_run(tmp_path / "s"), run.results.tasks["refspatial"].readings
    readings = again.results.tasks["refspatial"].readings
    assert set(readings) == set(made)
    assert all(readings[name] == before[name] for name in made)
    assert all(set(record.judgement) == set(made) for record in again.records)


def test_readings_that_were_left_out_are_made_from_the_same_records_later(
    run: api.Run, tmp_path: Path
) -> None:
    fewer = api.score(run.folder, out=tmp_path / "fewer", readings=["any_hit"])
    back = api.score(fewer.folder, out=tmp_path / "back")
    assert back.results.tasks["refspatial"].readings == run.results.tasks["refspatial"].readings


def test_an_unknown_reading_is_wrong_usage_that_lists_the_known(
    run: api.Run, er_bench: Command, tmp_path: Path
) -> None:
    done = er_bench("score", "--run", run.folder, "--out", "s", "--reading", "anyhit")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "no reading 'anyhit'" in done.stderr
    assert all(name in done.stderr for name in ALL)
    assert not (tmp_path / "s").exists()


def test_a_reading_that_one_task_has_leaves_the_others_their_own(
    er_bench: Command, tmp_path: Path
) -> None:
    api.evaluate(
        "reference/chance", ["refspatial", "erqa"], split="mini", limit=3, out=tmp_path / "r"
    )
    done = er_bench("score", "--run", "r", "--out", "s", "--reading", "any_hit")
    assert done.returncode == 0, done.stderr
    tasks = read_results(tmp_path / "s").tasks
    assert set(tasks["refspatial"].readings) == {"official", "robust", "any_hit"}
    assert set(tasks["erqa"].readings) == {"official", "robust"}


def test_results_say_of_each_reading_how_it_reads_and_scores_and_where_that_stands(
    run: api.Run,
) -> None:
    content = json.loads((run.folder / "results.json").read_text())
    readings = content["tasks"]["refspatial"]["readings"]
    for name in ALL:
        found = readings[name]
        assert found["reader"] and found["rule"] and found["source"], name
        low, high = found["ci95"]
        assert low < found["score"] < high
        assert found["stderr"] > 0 and found["categories"]
    rules = {(r["reader"], r["rule"], r["source"]) for r in readings.values()}
    assert len(rules) == len(ALL)


def test_the_official_numbers_are_the_task_s(run: api.Run) -> None:
    task = run.results.tasks["refspatial"]
    official, robust = task.readings["official"], task.readings["robust"]
    for name in ("score", "stderr", "ci95", "n_unparsed", "n_left_out"):
        assert getattr(task, name) == getattr(official, name)
    assert task.robust_score == robust.score


def test_each_reading_is_the_mean_that_its_records_tell(run: api.Run) -> None:
    for name in ("any_hit", "robust"):
        scores = [record.judgement[name].score for record in run.records]
        by_category: dict[str, list[float]] = {}
        for record, score in zip(run.records, scores, strict=True):
            assert score is not None
            by_category.setdefault(record.category, []).append(score)
        found = run.results.tasks["refspatial"].readings[name]
        assert found.categories == pytest.approx(
            {category: sum(s) / len(s) for category, s in by_category.items()}
        )
    by_reading = run.results.tasks["refspatial"].readings
    assert (by_reading["any_hit"].score or 0) >= (by_reading["robust"].score or 0)
