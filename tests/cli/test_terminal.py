"""Nothing that somebody else wrote reaches the terminal raw, nor a spreadsheet as a formula."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import er_bench as api
from er_bench.cli.terminal import visible
from er_bench.report.spreadsheet import csv_cell
from tests.chat import ChatServer
from tests.conftest import Command

ESCAPE = "\x1b]0;owned\x07\x1b[31m\u202e"
FORMULA = '=HYPERLINK("http://x")'


def test_control_characters_are_written_out() -> None:
    assert visible("a\tb\n\x1b[2J\x07\x9b\r\u202e\ud800é±") == (
        "a\tb\n\\x1b[2J\\x07\\x9b\\r\\u202e\\ud800é±"
    )


def test_what_a_server_writes_comes_out_as_text(
    er_bench: Command, toy_path: Path, tmp_path: Path, chat_server: ChatServer
) -> None:
    async def hostile(body: dict[str, Any], call: int) -> web.StreamResponse:
        return web.Response(status=400, text=ESCAPE)

    chat_server.behave = hostile
    done = er_bench("run", "--model", "openai/x", "--model-args", f"base_url={chat_server.url}",
                    "--tasks", "toy", "--limit", "1", "--include-path", toy_path,
                    "--out", "r")  # fmt: skip
    assert done.returncode == 3 and "]0;owned" in done.stdout and "\x1b" not in done.stdout
    refused = er_bench("run", "--model", f"openai/{ESCAPE}", "--tasks", ESCAPE)
    folder = er_bench("export", f"no{ESCAPE}", "x")
    for told in (done.stdout, done.stderr, refused.stderr, folder.stderr):
        assert told and not set(told) & {"\x1b", "\x07", "\u202e"}


def test_names_in_results_come_out_as_text_and_no_formula(
    er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    api.evaluate("reference/oracle", "toy", include=[toy_path], limit=2, out=tmp_path / "r")
    path = tmp_path / "r" / "results.json"
    results = json.loads(path.read_text())
    results["model"]["name"] = FORMULA + ESCAPE
    results["tasks"][f"@SUM(1){ESCAPE}"] = results["tasks"].pop("toy")
    path.write_text(json.dumps(results))
    done = er_bench("leaderboard", "r", "--csv", "board.csv")
    assert done.returncode == 0 and not set(done.stdout) & {"\x1b", "\x07"}, done.stderr
    with (tmp_path / "board.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["name"].startswith("'=HYPERLINK") and row["column"].startswith("'@SUM")
    assert float(row["score"]) == 1.0
    assert er_bench("export", "r", "tables").returncode == 0
    assert "'@SUM(1)" in (tmp_path / "tables" / "results.csv").read_text()


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1", "@x", "\t=1", "\r=1", "-", "+1 2"])
def test_a_text_that_a_spreadsheet_would_compute_is_kept_as_text(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-5", "+1.5e3", "-.5", "a=b", "", 3, -2.5, None])
def test_numbers_and_other_texts_stay(value: object) -> None:
    assert csv_cell(value) == value
