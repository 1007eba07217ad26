"""What is counted, once, and when a run may call itself complete."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import er_bench as api
from er_bench.core.errors import UsageError
from er_bench.report.results import read_results
from tests.chat import ChatServer, obey
from tests.conftest import Command, write_toy_rows


def test_an_incomplete_run_that_is_scored_again_is_incomplete(
    er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    api.evaluate("reference/oracle", "toy", include=[toy_path], out=tmp_path / "r")
    lines = (tmp_path / "r" / "records.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "r" / "records.jsonl").write_text("".join(lines[:20]))
    done = er_bench("score", "--run", "r", "--include-path", toy_path)
    assert done.returncode == 3 and "20 of 24 samples scored" in done.stdout, done.stderr


def test_a_task_that_could_not_run_is_not_forgotten_when_the_run_is_scored_again(
    er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    common = ("--include-path", toy_path)
    run = er_bench("run", "--model", "reference/random-object", "--tasks", "toy,refspatial",
                   "--split", "mini", "--limit", "2", *common, "--out", "r")  # fmt: skip
    assert run.returncode == 3, run.stderr
    done = er_bench("score", "--run", "r", *common)
    assert done.returncode == 3, done.stderr
    before, after = read_results(tmp_path / "r"), read_results(tmp_path / "r-rescored")
    assert {n: t.status for n, t in before.tasks.items()} == {
        n: t.status for n, t in after.tasks.items()
    }
    assert "unavailable" in {t.status for t in after.tasks.values()}
    again = er_bench("score", "--run", "r-rescored", "--out", "third", *common)
    assert again.returncode == 3, again.stderr


def test_no_rows_are_no_complete_run(er_bench: Command, toy_path: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_toy_rows(tmp_path / "data", 0)
    done = er_bench("run", "--model", "reference/oracle", "--tasks", "toy", "--data", "data",
                    "--include-path", toy_path, "--out", "r")  # fmt: skip
    assert done.returncode == 3 and "there are no rows" in done.stdout, done.stderr
    results = read_results(tmp_path / "r")
    assert results.tasks["toy"].status == "incomplete" and not results.summary.complete


def test_a_task_named_twice_is_run_once(toy_path: Path, tmp_path: Path) -> None:
    made = api.prepare("reference/oracle", "toy,toy@official,toy@lower,toys", include=[toy_path])
    assert [o.task.label for o in made.opened] == ["toy", "toy@lower"] and made.n_samples == 48


def test_answers_are_to_one_task(toy_path: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "q0", "response": "A"}\n')
    with pytest.raises(UsageError, match="one task"):
        api.score_responses("qa", tmp_path / "a.jsonl", tmp_path / "s", split="mini")


def test_seconds_leave_waits_between_tries_out(
    er_bench: Command, toy_path: Path, tmp_path: Path, chat_server: ChatServer
) -> None:
    async def busy_then_obey(body: dict[str, Any], call: int) -> web.StreamResponse:
        if call == 1:
            return web.Response(status=429, headers={"Retry-After": "2"})
        await asyncio.sleep(0.1)
        return await obey(body, call)

    chat_server.behave = busy_then_obey
    done = er_bench("run", "--model", "openai/x", "--model-args", f"base_url={chat_server.url}",
                    "--tasks", "toy", "--limit", "1", "--include-path", toy_path,
                    "--out", "r")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 0.1 <= read_results(tmp_path / "r").tasks["toy"].seconds < 1.9


def test_answers_without_a_text_are_counted_by_why(
    er_bench: Command, toy_path: Path, tmp_path: Path, chat_server: ChatServer
) -> None:
    async def reply(body: dict[str, Any], call: int) -> web.StreamResponse:
        whole = {
            1: {"message": {"refusal": "I will not"}, "finish_reason": "stop"},
            2: {"message": {"content": None}, "finish_reason": "content_filter"},
            3: {"message": {"content": ""}, "finish_reason": "stop"},
            4: {"message": {"content": None}, "finish_reason": "length"},
        }
        if (choice := whole.get(call)) is None:
            return await obey(body, call)
        return web.json_response({"choices": [choice]})

    chat_server.behave = reply
    done = er_bench("run", "--model", "openai/stand-in", "--tasks", "toy", "--concurrency", "1",
                    "--model-args", f"base_url={chat_server.url}", "--include-path", toy_path,
                    "--out", "r")  # fmt: skip
    assert done.returncode == 0, done.stderr
    toy = read_results(tmp_path / "r").tasks["toy"]
    assert toy.n_without_text == {"content_filter": 1, "empty": 1, "length": 1, "refusal": 1}
    assert (toy.n_truncated, toy.n_scored) == (1, 24)
    assert "1 content_filter, 1 empty, 1 length, 1 refusal" in done.stdout
    assert "cut at the token limit: 1" in done.stdout
