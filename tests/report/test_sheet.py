"""Tables as typed data: one table, six ways to write it."""

from __future__ import annotations

import csv
import io
import json

from er_bench.report.sheet import TEXTS, Column, Sheet, columns

SHEET = Sheet(
    "Scores (percent)",
    [
        Column("task"),
        Column("score", "percent"),
        Column("95% interval", "interval", ("ci95_low", "ci95_high")),
        Column("scored", "share", ("n_scored", "n_total")),
        Column("rows", "count"),
        Column("mini"),
    ],
    [
        ["a_b|<c>&$", 0.12345, (0.1, 0.25), (3, 4), 7, True],
        ["=2+2", None, None, (0, 4), None, False],
    ],
)


def test_people_read_percent_and_programs_fractions() -> None:
    assert SHEET.texts == [
        ["a_b|<c>&$", "12.3", "10.0 .. 25.0", "3/4", "7", "yes"],
        ["=2+2", "-", "-", "0/4", "-", "no"],
    ]
    assert SHEET.records[0] == {
        "task": "a_b|<c>&$", "score": 0.12345, "ci95_low": 0.1, "ci95_high": 0.25,
        "n_scored": 3, "n_total": 4, "rows": 7, "mini": True,
    }  # fmt: skip
    assert SHEET.records[1]["ci95_low"] is SHEET.records[1]["ci95_high"] is None
    json.dumps(SHEET.records, allow_nan=False)


def test_csv_is_safe_and_whole() -> None:
    heading, first, second = csv.reader(io.StringIO(TEXTS["csv"](SHEET)))
    assert heading == list(SHEET.records[0])
    assert first[:4] == ["a_b|<c>&$", "0.12345", "0.1", "0.25"]
    assert second[0] == "'=2+2" and second[1] == ""


def test_the_other_formats_escape_everything() -> None:
    assert r"| a\_b\|\<c\>\&\$ | 12.3 |" in TEXTS["md"](SHEET)
    assert r"a\_b\textbar{}\textless{}c\textgreater{}\&\$ & 12.3" in TEXTS["latex"](SHEET)
    assert "<td>a_b|&lt;c&gt;&amp;$</td>" in TEXTS["html"](SHEET)
    assert TEXTS["md"](SHEET).splitlines()[1] == "| --- | --: | --: | --: | --: | --- |"
    assert r"\begin{tabular}{lrrrrl}" in TEXTS["latex"](SHEET)


def test_a_line_of_latex_never_begins_an_option() -> None:
    text = TEXTS["latex"](Sheet("", columns("a"), [["[x]"], ["*"]]))
    assert r"{}[x] \\" in text and r"{}* \\" in text
