"""Pages about runs: everything in them is data, harmless, and none of it is lost."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import er_bench as api
from er_bench.core.answer import Answer
from er_bench.core.completion import Completion
from er_bench.core.errors import UsageError
from er_bench.core.record import Record, RecordStatus
from er_bench.core.rollout import Rollout
from er_bench.core.score import Verdict
from er_bench.report.pages import charts
from er_bench.report.pages.sample_view import LONGEST, sample_view, shortened, visible
from er_bench.report.pages.write import in_script
from tests.conftest import Command

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&\u2028\x1b[31m\0"


def chunks(page: Path) -> list[dict[str, Any]]:
    """The data beside a page."""
    found = sorted(page.parent.glob("data/*.js"))
    texts = [file.read_text().removeprefix("ER_CHUNK(").removesuffix(");\n") for file in found]
    return [json.loads(text) for text in texts]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    out = tmp_path_factory.mktemp("pages") / "r"
    return api.evaluate("reference/oracle", "erqa,where2place,vsibench", split="mini", out=out)


@pytest.fixture(scope="module")
def page(run: api.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return api.write_report([run.folder], out=tmp_path_factory.mktemp("out") / "report")


def test_every_sample_is_there_with_what_the_record_says(run: api.Run, page: Path) -> None:
    shown = {(s["task"], s["id"]): s for chunk in chunks(page) for s in chunk["samples"]}
    records = {(r.task, r.id): r for r in run.iter_records()}
    assert shown.keys() == records.keys()
    for key, record in records.items():
        sample = shown[key]
        assert sample["question"] == record.question
        assert sample["turns"][0]["text"] == record.rollout.completion.text
        assert sample["readings"]["official"]["score"] == 1.0
        for medium in sample["media"]:
            assert (page.parent / medium["picture"]["src"]).stat().st_size > 100


def test_points_are_in_the_pixels_of_the_picture_and_masks_are_drawn(page: Path) -> None:
    samples = [s for chunk in chunks(page) for s in chunk["samples"] if s["task"] == "where2place"]
    for sample in samples:
        picture, mask = sample["media"][0]["picture"], sample["truth"]["mask"]
        assert (mask["w"], mask["h"]) == (picture["w"], picture["h"])
        for x, y in sample["readings"]["official"]["points"]:
            assert 0 <= x < picture["w"] and 0 <= y < picture["h"]


def test_the_part_that_was_read_is_marked(page: Path) -> None:
    sample = next(s for c in chunks(page) for s in c["samples"] if s["task"] == "erqa")
    first, stop = sample["readings"]["official"]["span"]
    assert sample["turns"][0]["text"][first:stop] == sample["truth"]["text"]


def test_prompts_go_along_with_the_samples_that_used_them(page: Path) -> None:
    for chunk in chunks(page):
        used = {turn["prompt"] for sample in chunk["samples"] for turn in sample["turns"]}
        assert used == set(chunk["prompts"])


def test_two_runs_stand_side_by_side(run: api.Run, tmp_path: Path) -> None:
    other = api.evaluate("reference/chance", "erqa", split="mini", out=tmp_path / "c")
    made = api.write_report([run.folder, other.folder], out=tmp_path / "two")
    erqa = [s for c in chunks(made) for s in c["samples"] if s["task"] == "erqa"]
    assert all(s["other"]["id"] == s["id"] for s in erqa)
    assert "the runs differ" in made.read_text()


def test_one_file_holds_everything(run: api.Run, tmp_path: Path) -> None:
    made = api.write_report([run.folder], out=tmp_path / "r.html", single=True)
    text = made.read_text()
    assert made.stat().st_size < 25e6
    assert not re.search(r'(?:src|href)="(?!data:|#)[^"]', text)
    assert text.count("data:image/jpeg;base64") > 50


def test_a_run_that_is_too_large_for_one_file_is_told(run: api.Run, monkeypatch: Any) -> None:
    monkeypatch.setattr("er_bench.report.pages.write.MOST_SINGLE", 10)
    with pytest.raises(UsageError, match="one file holds up to 10, leave --single out"):
        api.write_report([run.folder], single=True)


def evil_record() -> Record:
    verdict = Verdict(Answer(EVIL), 0.5, why=EVIL)
    return Record(
        task=EVIL, id=EVIL, cluster=EVIL, category=EVIL, status=RecordStatus.SCORED,
        question=EVIL, options={EVIL: EVIL}, judgement={"official": verdict},
        rollout=Rollout.answered(Completion(EVIL + "\ud83d" + "x" * 1_000_000, thoughts=EVIL)),
    )  # fmt: skip


def test_nothing_in_a_record_becomes_more_than_text() -> None:
    view = sample_view(evil_record(), lambda ref: None, lambda ref: None, lambda frames: None, {})
    text = in_script(view)
    assert "<" not in text and ">" not in text and "&" not in text and "\u2028" not in text
    text.encode()
    back = json.loads(text)
    assert back["question"].startswith("</script>") and "\\u001b[31m\\u0000" in back["question"]
    assert len(back["turns"][0]["text"]) < LONGEST + 100
    assert "980" in back["turns"][0]["text"] and "characters left out" in back["turns"][0]["text"]


def test_what_cannot_be_seen_is_spelt() -> None:
    assert visible("a\ud83db\x00\tc\n") == "a\\ud83db\\u0000\tc\n"
    assert shortened("é" * 10) == "é" * 10


def test_the_chart_is_drawn_without_colour(run: api.Run) -> None:
    svg = charts.scores([run.results])
    assert svg.startswith("<svg") and "currentColor" in svg
    assert all(task in svg for task in ("erqa", "where2place", "vsibench"))
    colours = set(re.findall(r"#[0-9a-f]{6}", svg))
    assert colours <= {"#b0b0b0"}  # the grid
    assert svg == charts.scores([run.results])


def test_the_command_says_where_the_page_is(
    run: api.Run, er_bench: Command, tmp_path: Path
) -> None:
    done = er_bench("report", run.folder, "--out", "pages")
    assert done.returncode == 0 and "written: pages/index.html" in done.stdout
    again = er_bench("report", run.folder, "--out", "pages")
    assert again.returncode == 2 and "not empty" in again.stderr
    assert er_bench("report", "nowhere").returncode == 2
