"""A run told to an experiment tracker: a stand-in module with the three functions of W&B."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import er_bench as api
from er_bench.report.tracking import scores
from tests.conftest import Command

STAND_IN = """
import json, os
def _tell(*told):
    with open(os.environ["TOLD"], "a") as file:
        file.write(json.dumps(told) + "\\n")
def init(project, name, config):
    if project == "closed":
        raise RuntimeError("no such project")
    _tell("init", project, name, config)
def log(values):
    _tell("log", values)
def finish():
    _tell("finish")
"""
RUN = ("run", "--model", "reference/oracle", "--tasks", "erqa", "--split", "mini", "--out", "r")


@pytest.mark.parametrize("library", ["wandb", "trackio"])
def test_the_scores_are_told_and_the_run_is_ended(
    library: str, er_bench: Command, tmp_path: Path
) -> None:
    (tmp_path / f"{library}.py").write_text(STAND_IN)
    told = tmp_path / "told"
    done = er_bench(
        *RUN, "--limit", "4", f"--{library}", "robots", "--name", "mine",
        PYTHONPATH=f"{tmp_path}:{Path(api.__file__).parent.parent}", TOLD=str(told),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    begun, logged, ended = map(json.loads, told.read_text().splitlines())
    assert begun[:3] == ["init", "robots", "mine"] and begun[3]["tasks"] == ["erqa"]
    assert begun[3]["model"]["name"] == "reference/oracle"
    assert logged[1] == {"samples": 4, "errors": 0} | scores(api.load_run(tmp_path / "r").results)
    assert logged[1]["erqa/official"] == 1.0 and logged[1]["erqa/scored"] == 4
    assert ended == ["finish"]


def test_what_is_missing_or_refuses_is_said_before_the_first_request(
    er_bench: Command, tmp_path: Path
) -> None:
    done = er_bench(*RUN, "--trackio", "robots")
    assert done.returncode != 0 and "pip install trackio" in done.stderr
    (tmp_path / "wandb.py").write_text(STAND_IN)
    done = er_bench(
        *RUN, "--wandb", "closed",
        PYTHONPATH=f"{tmp_path}:{Path(api.__file__).parent.parent}", TOLD="/dev/null",
    )  # fmt: skip
    assert done.returncode != 0 and "no such project" in done.stderr
    assert not (tmp_path / "r").exists()
