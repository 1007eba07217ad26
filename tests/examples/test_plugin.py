"""The template of `examples/plugin`, installed by pip into an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from er_bench.report.results import read_results

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`er-bench ARGS..` in an environment with the template, in an empty folder."""
    folder = tmp_path_factory.mktemp("outside")
    source, python = folder / "plugin", folder / "env" / "bin" / "python"
    shutil.copytree(ROOT / "examples" / "plugin", source)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    # er-bench itself and what it needs: this environment's, seen from the new one.
    (site,) = (folder / "env").glob("lib/python3*/site-packages")
    (site / "here.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n{ROOT}\n")
    install = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", source]
    subprocess.run(install, check=True)
    shutil.rmtree(source)

    def call(*args: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [python, "-m", "er_bench.cli.main", *map(str, args)],
            cwd=folder, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    return call


def test_what_a_package_brings_is_listed_and_described(outside: Run) -> None:
    assert "block_count" in outside("tasks").stdout
    assert "block-counter" in outside("models").stdout
    assert "internvl_spoken" in outside("dialects").stdout
    assert "Where would you put your finger?" in outside("describe", "internvl_spoken").stdout


def test_its_model_runs_on_its_task(outside: Run, tmp_path: Path) -> None:
    outside("run", "--model", "block-counter", "--tasks", "block_count", "--out", tmp_path / "r")
    found = read_results(tmp_path / "r").tasks["block_count"]
    assert (found.score, found.n_scored) == (1.0, 12)
    outside("run", "--model", "pixels/x", "--model-args", "pixels_a_block=800", "--tasks",
            "block_count", "--out", tmp_path / "s")  # fmt: skip
    assert (read_results(tmp_path / "s").tasks["block_count"].score or 0) < 1


def test_its_reference_model_gets_everything_right(outside: Run, tmp_path: Path) -> None:
    outside("run", "--model", "reference/oracle", "--tasks", "block_count", "--out", tmp_path / "r")
    assert read_results(tmp_path / "r").tasks["block_count"].score == 1.0


def test_its_dialect_is_asked_in_its_words_and_read_as_its_ancestor(
    outside: Run, tmp_path: Path
) -> None:
    outside("run", "--model", "block-counter", "--tasks", "pointarena", "--split", "mini", "--out",
            tmp_path / "r")  # fmt: skip
    found = read_results(tmp_path / "r").tasks["pointarena"]
    assert (found.n_scored, found.n_unparsed) == (found.n_total, 0)
    assert "Where would you put your finger?" in (tmp_path / "r" / "prompts.jsonl").read_text()


def test_its_export_format_is_one_of_the_formats(outside: Run, tmp_path: Path) -> None:
    outside("run", "--model", "reference/blind", "--tasks", "block_count", "--out", tmp_path / "r")
    outside("export", tmp_path / "r", tmp_path / "out", "--format", "wrong-answers")
    score = read_results(tmp_path / "r").tasks["block_count"].score
    assert score is not None
    lines = (tmp_path / "out" / "wrong.md").read_text().splitlines()
    assert len(lines) == 2 + round(12 * (1 - score))
