"""Paths with links that lead to themselves, which `Path.resolve` raises on."""

from __future__ import annotations

from pathlib import Path

import pytest

import er_bench
from er_bench.core.paths import resolved
from tests.conftest import Command


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    link = tmp_path / "link"
    link.symlink_to(link)
    return link


def test_a_loop_of_links_stays_as_it_is(loop: Path, tmp_path: Path) -> None:
    assert resolved(loop) == resolved(tmp_path) / "link"
    (tmp_path / "other").symlink_to(tmp_path)
    assert resolved(tmp_path / "other" / ".." / "x") == resolved(tmp_path).parent / "x"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("merge", "link", "link", "--out", "o"), "link is given twice"),
        (("score", "--run", "link"), "link is not a run folder"),
        (("lmms-eval-path", "--include-path", "link"), "there is no folder"),
    ],
)
def test_a_command_tells_of_it(
    er_bench: Command, loop: Path, command: tuple[str, ...], told: str
) -> None:
    done = er_bench(*command)
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr


def test_nothing_resolves_in_another_way() -> None:
    root = Path(er_bench.__file__).parent  # some rooms are links, which rglob passes over
    found = [
        path for room in root.iterdir() if room.is_dir() for path in room.resolve().rglob("*.py")
    ]
    sources = [path for path in found if "servers" not in path.parts]
    assert {"tasks", "models", "scorers", "run"} <= {p for path in sources for p in path.parts}
    assert [p for p in sources if p.name != "paths.py" and ".resolve(" in p.read_text()] == []
