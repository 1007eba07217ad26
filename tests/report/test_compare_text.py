"""A comparison as Markdown and CSV, and its samples as links into pages."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

import er_bench as api
from er_bench.core.errors import UsageError
from er_bench.report.compare import Comparison, Difference, TaskComparison, to_json
from er_bench.report.compare_text import COLUMNS, cells, to_csv, to_markdown
from er_bench.report.pages.links import sample_links
from er_bench.reporting import sample_links as links_of_runs
from tests.conftest import Command

EVIL = "a|b [x](y) <script>\n`_*"


def made(task: str = "t", won: tuple[str, ...] = ("w",), category: str = "c") -> Comparison:
    found = Difference(0.25, 0.1, (0.05, 0.45), 8)
    part = Difference(float("nan"), None, None, 0)
    one = TaskComparison(
        task, (0.5, 0.75), found, "mcnemar", 0.5, 0.5, won, ("l",), categories={category: part}
    )
    return Comparison(("A", "B"), "official", {"model.name": ("a", "b")}, [one], (["x"], []))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two runs and a page about both."""
    folder = tmp_path_factory.mktemp("links")
    sides = [
        api.evaluate(f"reference/{name}", "refspatial", split="mini", out=folder / name).folder
        for name in ("chance", "oracle")
    ]
    return sides[0], sides[1], api.write_report(sides, out=folder / "pages of both").parent


def test_csv_has_a_line_a_task_and_category_and_no_nan() -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(made()))))
    assert tuple(lines[0]) == COLUMNS and len(lines) == 2
    task, category = lines
    assert (task["task"], task["category"], task["a"], task["b"]) == ("t", "", "0.5", "0.75")
    assert (task["difference"], task["stderr"]) == ("0.25", "0.1")
    assert (task["ci95_low"], task["ci95_high"], task["p_holm"]) == ("0.05", "0.45", "0.5")
    assert (task["won"], task["lost"], task["n"]) == ("1", "1", "8")
    assert (category["category"], category["difference"], category["n"]) == ("c", "", "0")
    assert list(csv.reader(io.StringIO(to_csv(made("=1+1")))))[1][1] == "'=1+1"


def test_markdown_says_what_the_table_says() -> None:
    text = to_markdown(made())
    assert f"| {' | '.join(cells(made().tasks[0]))} |" in text
    assert cells(made().tasks[0])[1:5] == ["50.0", "75.0", "+25.0", "+5.0 .. +45.0"]
    for told in ("differs: model.name: a → b", "in A alone: x", "t, won: w", "t, lost: l"):
        assert told in text


def test_nothing_in_markdown_is_more_than_text() -> None:
    text = to_markdown(made(won=(EVIL,), category=EVIL), lambda task, i: "p#x")
    assert r"[a\|b \[x\](y) \<script\> \`\_\*](<p#x>)" in text
    assert not re.search(r"(?<!\\)<(?!p#x>)", text)


def test_long_lists_are_cut_in_markdown_and_whole_in_json() -> None:
    many = made(won=tuple(f"s{k}" for k in range(30)))
    assert "and 10 more" in to_markdown(many)
    told = json.loads(to_json(many, lambda task, i: f"p#{task}/{i}/0"))
    assert len(told["tasks"][0]["links"]) == 31
    assert told["tasks"][0]["links"]["s29"] == "p#t/s29/0"
    assert "links" not in json.loads(to_json(many))["tasks"][0]


def test_links_lead_to_samples_of_the_page(runs: tuple[Path, Path, Path]) -> None:
    a, b, pages = runs
    link = links_of_runs(pages, [a, b])
    shown = {
        (sample["task"], sample["id"], sample["repeat"])
        for file in pages.glob("data/*.js")
        for sample in json.loads(file.read_text().removeprefix("ER_CHUNK(")[:-3])["samples"]
    }
    tasks = api.compare(a, b).tasks
    ids = [(task.task, i) for task in tasks for i in (*task.won, *task.lost)]
    assert any("/" in i for _, i in ids)
    for task, i in ids:
        page, _, fragment = link(task, i).partition("#")
        assert Path(unquote(page)) == pages / "index.html" and " " not in page
        name, sample_id, repeat = map(unquote, fragment.split("/"))
        assert (name, sample_id, int(repeat)) in shown


def test_pages_of_one_of_the_runs_will_do_and_others_are_refused(
    runs: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    a, b, pages = runs
    single = api.write_report([a], out=tmp_path / "one.html", single=True)
    assert links_of_runs(single, [a, b])("t", "i").endswith("one.html#t/i/0")
    with pytest.raises(UsageError, match=r"is about reference/oracle · oracle, which is not"):
        links_of_runs(pages, [a, a])
    with pytest.raises(UsageError, match=r"cannot be read .*; write it with: er-bench report"):
        sample_links(tmp_path, ["x"])
    (tmp_path / "index.html").write_text("<html>")
    with pytest.raises(UsageError, match="is no page of er-bench report"):
        sample_links(tmp_path, ["x"])


def test_the_command(runs: tuple[Path, Path, Path], er_bench: Command) -> None:
    a, b, pages = runs
    table = er_bench("compare", a, b, "--report", pages).stdout
    assert re.search(r"refspatial, won:\n  \S+/\d+  \S+index.html#refspatial/\w+%2F\d+/0\n", table)
    below = er_bench("compare", b, a, "--format", "csv", "--fail-below", "0")
    assert below.returncode == 4 and "is below --fail-below" in below.stderr
    assert all(len(line) == len(COLUMNS) for line in csv.reader(io.StringIO(below.stdout)))
    for wrong, told in (
        (("--format", "xml"), "there is no format to write 'xml'"),
        (("--format", "csv", "--report", pages), "no links"),
        (("--report", a), "cannot be read"),
    ):
        done = er_bench("compare", a, b, *wrong)
        assert done.returncode == 2 and told in done.stderr and not done.stdout
