"""The tutorials' commands work as they are written, in order, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TUTORIALS = ROOT / "docs" / "tutorials"
SHOWN_ONLY = {"fine-tune"}
"""Those that train: run by `python tests/external/fine_tune_tutorial.py`."""


def script(name: str) -> str:
    """The commands of a tutorial, one a line."""
    text = (TUTORIALS / f"{name}.md").read_text(encoding="utf-8")
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return "\n".join(re.findall(r"^    (\S.*)$", outside, re.MULTILINE))


def write_files(name: str, folder: Path) -> None:
    """The files that a tutorial shows, each after a line that names it."""
    text = (TUTORIALS / f"{name}.md").read_text(encoding="utf-8")
    for path, content in re.findall(r"`([\w/]+\.\w+)`[^\n]*\n\n```\w+\n(.*?)^```$", text,
                                    flags=re.DOTALL | re.MULTILINE):  # fmt: skip
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A tutorial from its first command to its last; the first that fails ends it."""
    write_files(name, folder)
    for shared in ("recipes", "models"):
        (folder / shared).symlink_to(ROOT / shared)
    python = f'"{sys.executable}"'
    begin = f'set -eu\ner-bench() {{ {python} -m er_bench.cli.main "$@"; }}\n'
    begin += f'python() {{ {python} "$@"; }}\n'
    return subprocess.run(
        ["bash", "-c", begin + script(name)],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted({p.stem for p in TUTORIALS.glob("*.md")} - SHOWN_ONLY))
def test_a_tutorial_works_as_it_is_written(name: str, tmp_path: Path) -> None:
    done = run(name, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "runs").is_dir()


def test_the_walk_adds_a_benchmark_that_its_oracle_solves(tmp_path: Path) -> None:
    write_files("add-a-benchmark", tmp_path)
    found = {file.name for file in tmp_path.rglob("*.*")}
    assert found == {"card.yaml", "task.py", "reference.py", "make.py"}
