"""A leaderboard as pages: every score with its link, everything escaped, all formats beside it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

import er_bench as api
from er_bench.core.errors import UsageError
from er_bench.report.leaderboard import Cell, Entry, rank
from er_bench.report.pages import site
from tests.conftest import Command

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(2)>&$x_1$"


class Links(HTMLParser):
    """Where a page leads to, and which elements it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.to: list[str] = []
        self.elements: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.to += [value for name, value in attrs if name == "href" and value]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for where, name in (("a/r", "oracle"), ("b/r", "chance")):  # two folders of one name
        api.evaluate(f"reference/{name}", "erqa", split="mini", limit=4, out=folder / where)
    return folder


def test_every_link_leads_somewhere(er_bench: Command, runs: Path, tmp_path: Path) -> None:
    done = er_bench("leaderboard", str(runs / "a"), str(runs / "b"), "--reported", "all",
                    "--format", "html", "--out", "site")  # fmt: skip
    assert done.returncode == 0 and "written: site/index.html" in done.stdout
    folder = tmp_path / "site"
    pages = [folder / "index.html", *folder.glob("columns/*.html")]
    links = [(page, to.partition("#")[0]) for page in pages for to in Links(page).to]
    assert {page.parent / to for page, to in links if to != "data:,"} > {
        folder / "leaderboard.csv", folder / "leaderboard.json"
    }  # fmt: skip
    assert [to for page, to in links if to != "data:," and not (page.parent / to).exists()] == []
    assert len(list(folder.glob("runs/*/index.html"))) == 2, "each run has pages of its own"
    assert len(list(folder.glob("runs/*/exports/*/*"))) >= 8
    assert len(json.loads((folder / "leaderboard.json").read_text())["entries"]) == 2


def test_without_samples_no_run_is_written(runs: Path, tmp_path: Path) -> None:
    page = api.write_site(api.leaderboard([runs / "a"]), tmp_path / "site", samples=False)
    assert not (page.parent / "runs").exists()
    assert not any("runs/" in to for to in Links(page).to)


def test_names_are_texts(tmp_path: Path) -> None:
    cells = {f"erqa {EVIL}": Cell(0.5, "complete"), "vsibench": Cell(None, "unavailable")}
    board = rank(
        [Entry(EVIL, "reported", EVIL, EVIL, {**cells, "x": Cell(1, "reported", doubt=EVIL)})]
    )
    site.write(board, tmp_path, {}, {})
    pages = [tmp_path / "index.html", *tmp_path.glob("columns/*.html")]
    assert len(pages) == 4
    for page in pages:
        assert "img" not in Links(page).elements
        assert page.read_text().count("<script") == 1


def test_a_folder_that_holds_something_is_kept(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="site"):
        api.write_site(api.leaderboard([runs / "a"]), tmp_path / "site")
    assert [file.name for file in (tmp_path / "site").iterdir()] == ["mine.txt"]
