"""Settings that a command cannot use are refused, with what may have been meant."""

from __future__ import annotations

from pathlib import Path

import pytest

import er_bench as api
from er_bench.core.errors import UsageError
from er_bench.core.registry import Registry
from er_bench.run.asking import Limits
from er_bench.run.evaluate import Options
from tests.conftest import Command

CHANCE = ("run", "--model", "reference/chance", "--tasks", "toy")


@pytest.mark.parametrize(
    "more", [("--dialect", "benchmark"), ("--split", "mini"), ("--accept-data",)]
)
def test_what_a_run_has_cannot_be_given_when_it_is_scored_again(
    more: tuple[str, ...], er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    api.evaluate("reference/chance", "toy", include=[toy_path], limit=2, out=tmp_path / "r")
    done = er_bench("score", "--run", "r", "--include-path", toy_path, *more)
    assert done.returncode == 2 and more[0] in done.stderr, done.stderr
    assert not (tmp_path / "r-rescored").exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((*CHANCE, "--model-args", "foo=1"), "leave out foo"),
        ((*CHANCE, "--gen-args", "top_p=1"), "leave out top_p"),
        ((*CHANCE, "--model-args", "max_retries=abc"), "max_retries takes a whole number"),
        ((*CHANCE, "--model-args", "max_retries=-1"), "max_retries lies between 0"),
        ((*CHANCE, "--model-args", "max_retries=1000000"), "max_retries lies between 0"),
        ((*CHANCE, "--model-args", "timeout_s=0"), "timeout_s lies between"),
        ((*CHANCE, "--model-args", "timeout_s=.nan"), "timeout_s lies between"),
        ((*CHANCE, "--model-args", "backoff_base_s=-2"), "backoff_base_s lies between 0"),
        ((*CHANCE, "--concurrency", "10000000"), "concurrency is a whole number from 1 to 4096"),
        ((*CHANCE, "--repeats", "10000000"), "repeats is a whole number from 1 to"),
        ((*CHANCE, "--limit", "9" * 20), "limit is a whole number from 1 to"),
        (
            ("run", "--model", "openai/x", "--tasks", "toy", "--model-args",
             "base_url=http://localhost:9/v1,detial=low"),
            "did you mean detail?",
        ),
    ],
)  # fmt: skip
def test_a_setting_that_is_not_known_or_not_possible_is_refused_before_anything_runs(
    args: tuple[str, ...], told: str, er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    done = er_bench(*args, "--include-path", toy_path, "--out", "r")
    assert done.returncode == 2 and told in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "r").exists()


def test_a_folder_of_tasks_that_is_not_there_is_refused(er_bench: Command, tmp_path: Path) -> None:
    (tmp_path / "my_tasks").mkdir()
    for command in (CHANCE, ("tasks",), ("models",), ("describe", "erqa")):
        done = er_bench(*command, "--include-path", "my_task")
        assert done.returncode == 2 and "did you mean my_tasks?" in done.stderr, done.stderr
    with pytest.raises(UsageError, match="there is no folder"):
        Registry((tmp_path / "x",))


def test_limits_are_numbers_that_a_request_can_be_tried_with() -> None:
    assert Limits(max_retries=0, backoff_base_s=1, request_timeout_s=0.5).max_retries == 0
    with pytest.raises(UsageError, match="max_retries"):
        Limits(max_retries=2.5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="concurrency"):
        Options(concurrency=0)


def test_a_number_may_be_written_with_an_exponent(er_bench: Command, toy_path: Path) -> None:
    done = er_bench(*CHANCE, "--model-args", "timeout_s=1e3", "--include-path", toy_path)
    assert done.returncode == 0, done.stderr


def test_workers_are_never_more_than_samples(toy_path: Path, tmp_path: Path) -> None:
    import asyncio

    running: list[int] = []

    def count(record: object) -> None:
        running.append(len(asyncio.all_tasks()))

    made = api.prepare("reference/chance", "toy", include=[toy_path], limit=3, concurrency=4000)
    asyncio.run(made.run(tmp_path / "r", on_record=count))
    assert len(running) == 3 and max(running) <= 3 + 2, "three workers, the feeder, the run"
