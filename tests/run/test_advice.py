"""What a run draws attention to, and that it keeps silent where all is well."""

import pytest

import er_bench
from er_bench.run.advice import advice
from tests.judging import NAMES
from tests.report.test_explain import in_pixels, run_of, thousandths


def told(run, task="where2place", dialect="internvl_1000"):
    opened = NAMES.open_mini(task, dialect)
    return list(advice(opened, er_bench.load_run(run).iter_records(), NAMES))


def test_pixels_behind_a_card_of_thousandths(tmp_path):
    (line,) = told(run_of(tmp_path, in_pixels))
    assert "read as pixels the same answers score 75.0%, not 4.2%" in line
    assert "is internvl_1000 the model's dialect?" in line


def test_answers_that_nobody_can_read(tmp_path):
    (line,) = told(run_of(tmp_path, lambda n, p, s: f"I cannot\nsee {n} " + "x" * 200))
    assert line.startswith("where2place: 24 of 24 answers could not be read, such as 'I cannot see")
    assert len(line) < 300


def test_answers_on_one_spot(tmp_path):
    (line,) = told(run_of(tmp_path, lambda n, p, s: "<point>[[500, 500]]</point>"))
    assert "all points lie on one spot" in line


def test_silence_where_all_is_well(tmp_path):
    assert not told(run_of(tmp_path, thousandths))


@pytest.mark.parametrize("task", ["erqa", "home_alfred", "trajectory"])
def test_silence_about_other_tasks(tmp_path, task):
    er_bench.evaluate("reference/oracle", [task], split="mini", out=tmp_path / "run")
    assert not told(tmp_path / "run", task, "benchmark")


def test_few_answers_say_nothing(tmp_path):
    er_bench.evaluate("reference/blind", ["where2place"], split="mini", limit=5, out=tmp_path / "r")
    assert not told(tmp_path / "r", "where2place", "benchmark")
