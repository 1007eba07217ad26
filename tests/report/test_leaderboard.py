from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import er_bench as api
from er_bench.comparing import Ahead
from er_bench.core.errors import UsageError
from er_bench.core.registry import Registry
from er_bench.report import board_text
from er_bench.report import leaderboard as lb
from er_bench.report.reported import read_reported, reported_sources
from tests.conftest import Command

TWELVE = (
    "erqa egoplan2 where2place pointarena paco_lavis pixmo_points "
    "vsibench refspatial mmsibench vlabench eb_alfred eb_habitat"
).split()


def cell(score: float | None, status: str = "complete") -> lb.Cell:
    return lb.Cell(score, status, n_scored=3, n_total=4)


def entry(name: str, kind: Any = "measured", **scores: float | lb.Cell) -> lb.Entry:
    status = "complete" if kind == "measured" else "reported"
    cells = {c: s if isinstance(s, lb.Cell) else cell(s, status) for c, s in scores.items()}
    return lb.Entry(name, kind, "s", "", cells)


@pytest.mark.parametrize(
    ("model", "printed"),
    [
        ("Vlaser-8B", 51.3),
        ("Vlaser-2B", 45.3),
        ("RoboBrain2.0-7B", 37.0),
        ("GPT-4o-20241120", 34.2),
    ],
)
def test_reported_averages_come_out_as_printed(model: str, printed: float) -> None:
    """Vlaser, arXiv 2510.11027v2, Table 1, column Avg."""
    board = lb.rank(lb.reported_entries(read_reported("vlaser-table1"), TWELVE))
    (found,) = [r for r in board.entries if r.entry.name == model]
    assert list(found.over) == TWELVE
    assert round((found.average or 0) * 100, 1) == printed
    assert found.rank is None


@pytest.mark.parametrize("name", reported_sources())
def test_every_reported_source_is_whole(name: str) -> None:
    source = read_reported(name)
    assert source.rows
    for scores in source.rows.values():
        assert len(scores) == len(source.columns)
        assert all(s is None or 0 <= s <= 100 for s in scores)


def test_averages_are_over_the_columns_that_both_have() -> None:
    board = lb.rank([entry("run", a=0.2, b=0.4), entry("paper", "reported", b=0.6, c=0.9)])
    assert [(r.entry.name, r.average, r.over) for r in board.entries] == [
        ("run", 0.4, ["b"]),
        ("paper", 0.6, ["b"]),
    ]


def test_an_incomplete_column_is_in_no_average() -> None:
    whole, part = entry("w", a=0.2, b=0.4), entry("p", a=0.9, b=cell(0.5, "incomplete"))
    board = lb.rank([whole, part])
    assert [(r.entry.name, r.average, r.rank) for r in board.entries] == [
        ("p", 0.9, 1),
        ("w", 0.2, 2),
    ]
    assert lb.rank([entry("x", a=cell(None, "unavailable"))]).entries[0].average is None


def test_equal_averages_share_a_rank() -> None:
    board = lb.rank([entry("x", a=0.5), entry("y", a=0.5), entry("z", a=0.4)])
    assert [r.rank for r in board.entries] == [1, 1, 3]


@pytest.mark.parametrize(
    ("task", "column"),
    [("pointarena", "pointarena (custom)"), ("paco_lavis", "paco_lavis (own rows)")],
)
def test_only_the_published_rows_share_a_column_with_reported_scores(
    task: str, column: str, tmp_path: Path
) -> None:
    made = api.evaluate(
        "reference/oracle", task, out=tmp_path / "r", data=Registry().mini_root(task),
        accept_data=True,
    ).results  # fmt: skip
    assert list(lb.measured(made).cells) == [column]
    whole = made.model_copy(deep=True)
    whole.tasks[task].split, whole.tasks[task].comparable = "official", [task]
    assert list(lb.measured(whole).cells) == [task]


def test_marks() -> None:
    assert lb.show(None) == "-"
    assert lb.show(cell(None, "unavailable")) == "n/a"
    assert lb.show(cell(None, "incomplete")) == "none (3/4)"
    assert lb.show(lb.Cell(0.5, "incomplete", 0.02)) == "50.0 ±2.0*"


def test_an_unknown_source_lists_the_known() -> None:
    with pytest.raises(UsageError, match="vlaser-table1"):
        read_reported("nope")


def test_the_command(
    er_bench: Command, toy_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("oracle", "blind"):
        er_bench("run", "--model", f"reference/{kind}", "--tasks", "toy", "--include-path",
                 toy_path, "--out", kind)  # fmt: skip
    done = er_bench("leaderboard", "oracle", "blind", "--reported", "vlaser-table1",
                    "--json", "b.json", "--csv", "b.csv")  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n*")[0].splitlines()
    assert max(map(len, lines)) <= 80, "a line a task, the models in several tables"
    assert sum("rank" in line for line in lines) == sum("eb_habitat" in line for line in lines) > 3
    monkeypatch.setenv("COLUMNS", "400")
    done = er_bench("leaderboard", "oracle", "blind", "--reported", "vlaser-table1")
    assert done.stdout.index("reference/oracle") < done.stdout.index("reference/blind")
    for name in (
        "GPT-4o-20241120 [reported]",
        "RoboBrain2.0-7B [reported]",
        "Vlaser-8B [reported]",
    ):
        assert name in done.stdout
    written = json.loads((tmp_path / "b.json").read_text())
    oracle = written["entries"][0]
    assert (oracle["name"], oracle["rank"], oracle["average"]) == ("reference/oracle", 1, 1.0)
    assert {e["rank"] for e in written["entries"] if e["kind"] == "reported"} == {None}
    rows = list(csv.DictReader((tmp_path / "b.csv").read_text().splitlines()))
    assert len(rows) == 2 + 17 * 12
    assert [row["rank_overall"] for row in rows[:3]] == ["1", "2", ""], "reported rows have none"
    assert [row["rank"] for row in rows[:3]] == ["1", "2", ""]
    nothing = er_bench("leaderboard")
    assert nothing.returncode == 2 and "--reported" in nothing.stderr


def odd_board() -> lb.Leaderboard:
    return lb.rank([entry("a|b_<i>&%", x=0.5), entry("c\nd", "reported", x=0.25)])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (board_text.markdown, r"| 1 | a\|b\_\<i\>\&% | 50.0 | 50.0 |"),
        (
            board_text.latex,
            r"1 & a\textbar{}b\_\textless{}i\textgreater{}\&\% & 50.0 & 50.0 \\",
        ),
        (board_text.html, "<td>a|b_&lt;i&gt;&amp;%</td>"),
    ],
)
def test_other_formats_escape_what_they_hold(
    made: Callable[[board_text.Rows], str], expected: str
) -> None:
    text = made(board_text.rows(odd_board()))
    assert expected in text and text.endswith("\n")
    assert "c\nd" not in text or made is board_text.html


def test_every_format_is_printed_or_written(
    er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    er_bench("run", "--model", "reference/oracle", "--tasks", "toy", "--include-path", toy_path,
             "--out", "r")  # fmt: skip
    assert json.loads(er_bench("leaderboard", "r", "--format", "json").stdout)["entries"]
    assert er_bench("leaderboard", "r", "--format", "csv").stdout.startswith("kind,name")
    assert er_bench("leaderboard", "r", "--format", "md").stdout.startswith("| rank | model |")
    done = er_bench("leaderboard", "r", "--format", "latex", "--out", "t.tex")
    assert done.stdout == "written: t.tex\n"
    assert (tmp_path / "t.tex").read_text().startswith("\\begin{tabular}{rlrr}")
    wrong = er_bench("leaderboard", "r", "--format", "markdown")
    assert wrong.returncode == 2 and "md" in wrong.stderr


def test_entries_that_cannot_be_told_apart_share_a_rank() -> None:
    entries = [entry("a", x=0.9), entry("b", x=0.5), entry("c", x=0.52), entry("d", x=0.1)]

    def ahead(one: lb.Entry, other: lb.Entry, over: Any) -> bool:
        assert over == ["x"]
        return (one.cells["x"].score or 0) - (other.cells["x"].score or 0) > 0.1

    board = lb.rank(entries, ahead)
    assert [(r.entry.name, r.place) for r in board.entries] == [
        ("a", "1"), ("c", "2="), ("b", "2="), ("d", "4"),
    ]  # fmt: skip
    assert [e["rank"] for e in lb.to_json(board)["entries"]] == [1, 2, 2, 4]
    assert [r.place for r in lb.rank(entries).entries] == ["1", "2", "3", "4"]


def test_ranks_rest_on_paired_samples(tmp_path: Path, er_bench: Command) -> None:
    folders = []
    for name, model, seed in (("a", "chance", 1), ("b", "chance", 2), ("c", "oracle", 0)):
        folders.append(tmp_path / name)
        api.evaluate(f"reference/{model}", ["erqa"], split="mini", seed=seed, out=folders[-1])
    done = er_bench("leaderboard", *folders, "--format", "json")
    assert done.returncode == 0, done.stderr
    entries = json.loads(done.stdout)["entries"]
    assert [(e["name"], e["rank"], e["rank_shared"]) for e in entries] == [
        ("reference/oracle", 1, False),
        ("reference/chance", 2, True),
        ("reference/chance", 2, True),
    ]
    assert "2=" in er_bench("leaderboard", *folders).stdout


def test_ranks_in_columns_are_of_complete_measured_scores_alone() -> None:
    lower = {k: lb.Cell(k, "complete", lower_is_better=True) for k in (0.1, 0.3)}
    entries = [
        entry("a", x=0.9, y=lower[0.3], z=lb.Cell(0.5, "incomplete")),
        entry("b", x=0.9, y=lower[0.1], z=0.2),
        entry("c", x=0.95),
        entry("d", "reported", x=0.99),
    ]
    board = lb.rank(entries)
    shown = {r.entry.name: {c: str(p) for c, p in r.by_column.items()} for r in board.entries}
    assert shown == {"a": {"x": "2=", "y": "2"}, "b": {"x": "2=", "y": "1", "z": "1"},
                     "c": {"x": "1"}, "d": {}}  # fmt: skip
    told = {e["name"]: e["scores"]["x"] for e in lb.to_json(board)["entries"]}
    assert (told["a"]["rank"], told["a"]["rank_shared"]) == (2, True)
    assert (told["d"]["rank"], told["d"]["rank_shared"]) == (None, False)
    rows = list(csv.DictReader(io.StringIO(lb.to_csv(board), newline="")))
    assert [row["rank"] for row in rows if row["column"] == "x"] == ["1", "2=", "2=", ""]


def test_each_column_is_asked_for_by_itself(tmp_path: Path) -> None:
    """One run is better in the first task alone, the other in the second."""
    folders = []
    for name in ("a", "b"):
        folders.append(tmp_path / name)
        api.evaluate("reference/oracle", "erqa,where2place", split="mini", out=folders[-1])
    for folder, bad in zip(folders, ("where2place", "erqa"), strict=True):
        lines = (folder / "records.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        for record in records:
            if record["task"] == bad:
                record["judgement"]["official"]["score"] = 0.0
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / "records.jsonl").write_text(text)
    ahead = Ahead()
    a, b = folders
    for better, worse, column in ((a, b, "erqa (mini)"), (b, a, "where2place (mini)")):
        assert ahead(better, worse, [column]) and not ahead(worse, better, [column])
    both = ["erqa (mini)", "where2place (mini)"]
    assert not ahead(a, b, both) and not ahead(b, a, both)


def test_a_column_where_lower_is_better_is_in_no_average() -> None:
    lower = lb.Cell(0.3, "complete", lower_is_better=True)
    board = lb.rank([entry("a", x=0.9, y=lower), entry("b", x=0.5, y=lower)])
    assert [r.average for r in board.entries] == [0.9, 0.5]
    assert board.entries[0].over == ["x"]


def test_a_run_is_called_as_its_user_calls_it(tmp_path: Path, er_bench: Command) -> None:
    done = er_bench("run", "--model", "reference/oracle", "--tasks", "erqa", "--split", "mini",
                    "--limit", "2", "--name", "the | ceiling", "--out", "r")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "the | ceiling (percent)" in done.stdout
    assert api.load_run(tmp_path / "r").manifest.info.name == "the | ceiling"
    assert "the | ceiling" in er_bench("leaderboard", "r").stdout
    page = api.write_report([tmp_path / "r"]).read_text()
    assert "the | ceiling" in page


def test_it_ranks_by_another_reading_and_leaves_out_tasks_without_it(tmp_path: Path) -> None:
    for name in ("oracle", "chance"):
        api.evaluate(
            f"reference/{name}", ["refspatial", "erqa", "vlabench"], split="mini", limit=8,
            out=tmp_path / name,
        )  # fmt: skip
    made = api.leaderboard([tmp_path], reading="physbrain_f1")
    assert made.columns == ["refspatial (mini[:8])"]
    scores = {r.entry.name: r.entry.cells[made.columns[0]].score for r in made.entries}
    read = api.load_run(tmp_path / "chance").results.tasks["refspatial"].readings["physbrain_f1"]
    assert scores == {"reference/oracle": 1.0, "reference/chance": read.score}
    assert [(r.entry.name, r.rank) for r in made.entries] == [
        ("reference/oracle", 1), ("reference/chance", 2),
    ]  # fmt: skip
    assert lb.to_json(made)["reading"] == "physbrain_f1"
    page = api.write_site(made, tmp_path / "site", samples=False)
    assert "reading physbrain_f1" in page.read_text()
    with pytest.raises(UsageError, match="did you mean robust"):
        api.leaderboard([tmp_path], reading="robusd")
    with pytest.raises(UsageError, match="official reading alone"):
        api.leaderboard([tmp_path], reading="robust", reported=["vlaser-table1"])
