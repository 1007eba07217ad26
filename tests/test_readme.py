"""The offline commands of the README work as they are written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import er_bench as api

ROOT = Path(__file__).parent.parent


def commands(heading: str) -> list[str]:
    """The lines of code under a heading."""
    part = (ROOT / "README.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line.strip() for line in re.findall(r"^    (\S.*)$", part, re.MULTILINE)]


@pytest.fixture
def after_the_demo(tmp_path: Path) -> Path:
    """A folder as the README's reader has it: a clone, and the runs that the demo made."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for model in ("vlaser-tiny", "oracle"):
        out = tmp_path / "runs" / "demo-20260101-000000" / model
        api.evaluate("reference/oracle", "erqa,refspatial", split="mini", out=out)
    return tmp_path


def test_what_follows_the_demo_works_as_it_is_written(after_the_demo: Path) -> None:
    lines = commands("Run")
    lines = lines[lines.index(next(line for line in lines if line.startswith("RUN="))) :]
    assert len(lines) == 11
    script = f'set -eu\ner-bench() {{ "{sys.executable}" -m er_bench.cli.main "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", script + "\n".join(lines)],
        cwd=after_the_demo, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for made in ("s0/results.json", "s1/results.json", "s2/results.json", "out/samples.csv"):
        assert (after_the_demo / made).is_file()
    assert "GPT-4o-2024" in done.stdout, "a name may go on below"
