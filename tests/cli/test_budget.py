"""What a run will ask and cost, and the limits at which it stops."""

from pathlib import Path

import pytest

import er_bench as api
from er_bench.core.completion import Completion
from er_bench.core.errors import ConfigError, UsageError
from er_bench.run.budget import Budget, Price, SpentError, read_price
from tests.conftest import Command


def prices(folder: Path, text: str = "vlaser-tiny: {input: 1000, output: 4000, picture: 0.5}"):
    file = folder / "prices.yaml"
    file.write_text(text)
    return file


def test_dry_run_shows_a_prompt_a_task_and_what_is_asked(er_bench: Command, tmp_path: Path):
    done = er_bench(
        "run", "--model", "vlaser-tiny", "--tasks", "erqa,trajectory", "--split", "mini",
        "--limit", "4", "--repeats", "2", "--dry-run", "--prices", prices(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--- erqa: the first prompt\nuser: [image] Which object" in done.stdout
    assert "--- trajectory: the first prompt" in done.stdout
    assert '"max_new_tokens": 64' in done.stdout
    assert "about 16 requests" in done.stdout
    assert "answers: at most 1,024 tokens" in done.stdout
    assert "USD" in done.stdout


def test_a_run_stops_at_its_limit_and_goes_on(er_bench: Command, tmp_path: Path):
    words = ("run", "--model", "vlaser-tiny", "--tasks", "erqa", "--split", "mini", "--out", "r",
             "--limit", "14")  # fmt: skip
    done = er_bench(*words, "--max-tokens", "700", "--concurrency", "2")
    assert done.returncode == 3
    assert "stopped at --max-tokens 700" in done.stderr
    n_done = api.load_run(tmp_path / "r").results.tasks["erqa"].n_scored
    assert 0 < n_done < 14
    done = er_bench(*words, "--resume", "--max-tokens", "700")
    assert done.returncode == 3, "what was spent before counts"
    done = er_bench(*words, "--resume", "--prices", prices(tmp_path))
    assert done.returncode == 0, done.stderr
    assert api.load_run(tmp_path / "r").results.tasks["erqa"].n_scored == 14
    assert "cost: " in done.stdout


def test_the_cost_of_records():
    record = api.Record(
        task="t", id="1", cluster="c", category="k", status="scored",
        rollout={"turns": [{"completion": Completion(
            "x", tokens_in=100, tokens_out=10, image_sizes=((1, 1), (2, 2)))}]},
    )  # fmt: skip
    budget = Budget(max_cost=1.0, price=Price(input=1000, output=4000, picture=0.3))
    budget.count([record])
    assert budget.cost == pytest.approx(0.1 + 0.04 + 0.6)
    with pytest.raises(SpentError, match=r"--max-cost 1: 1.4800 USD"):
        budget.add(record)


def test_wrong_prices_are_told(tmp_path: Path):
    assert read_price(prices(tmp_path), "vlaser-tiny").input == 1000
    with pytest.raises(UsageError, match="no price of gpt-4o; it has vlaser-tiny"):
        read_price(prices(tmp_path), "gpt-4o")
    with pytest.raises(ConfigError, match="output"):
        read_price(prices(tmp_path, "a: {input: 1}"), "a")
    with pytest.raises(ConfigError, match="models with prices"):
        read_price(prices(tmp_path, "[1]"), "a")
    with pytest.raises(UsageError, match="--max-cost needs --prices"):
        Budget(max_cost=1)
