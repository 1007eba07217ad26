"""A leaderboard as pages: one of all columns, and one for each column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from er_bench.core.card import TaskCard
from er_bench.data.files import safe_name, write_json, write_text
from er_bench.report.board_text import FORMATS
from er_bench.report.board_text import rows as rows_of
from er_bench.report.leaderboard import Cell, Leaderboard, Place, Ranked, to_csv, to_json
from er_bench.report.leaderboard import column as column_of
from er_bench.report.pages import charts
from er_bench.report.pages.write import PACKAGE, static
from er_bench.report.results import LOWER, TaskResult, read_results

_TASK = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Line:
    """A score on the page of its column."""

    ranked: Ranked
    cell: Cell
    place: Place | None
    task: TaskResult | None
    """What the run's results say; None for a reported score."""
    link: str | None
    """To the samples behind the score."""


def run_places(board: Leaderboard) -> dict[Path, str]:
    """Where the pages of each run lie in the site: a folder of its own, by its name."""
    places: dict[Path, str] = {}
    for entry in (r.entry for r in board.entries):
        if entry.folder is not None:
            name, taken = safe_name(entry.source), set(places.values())
            ends = ["", *(f"-{number}" for number in range(2, len(taken) + 2))]
            places[entry.folder] = next(
                place for end in ends if (place := f"runs/{name}{end}") not in taken
            )
    return places


def write(
    board: Leaderboard, folder: Path, cards: Mapping[str, TaskCard], places: Mapping[Path, str]
) -> None:
    """Write `index.html`, `columns/*.html`, what they need, and the table as CSV, Markdown, LaTeX.

    `cards` are those of all tasks, by name; `places` say where the pages of runs lie, if any do.
    """
    environment = Environment(
        loader=PackageLoader(PACKAGE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["percent"] = lambda x: "-" if x is None else f"{100 * x:.1f}"
    rows = [
        (r, [_line(r, column, places, board.reading) for column in board.columns])
        for r in board.entries
    ]
    pages = {column: f"columns/{safe_name(column)}.html" for column in board.columns}
    index = environment.get_template("leaderboard.html.jinja").render(
        root="", board=board, rows=rows, pages=pages, places=places, LOWER=LOWER
    )
    write_text(folder / "index.html", index)
    (folder / "columns").mkdir()
    for number, (column, page) in enumerate(pages.items()):
        lines = sorted((line for _, row in rows if (line := row[number])), key=_order)
        text = environment.get_template("column.html.jinja").render(
            root="../", column=column, lines=lines, card=cards.get(_task_of(column)),
            readings=next((x.task.readings for x in lines if x.task is not None), {}),
            chart=Markup(charts.column([_drawn(line) for line in lines])),
        )  # fmt: skip
        write_text(folder / page, text)
    for name in ("report.css", "site.css", "site.js"):
        write_text(folder / name, static(name))
    write_json(folder / "leaderboard.json", to_json(board))
    write_text(folder / "leaderboard.csv", to_csv(board))
    for name, ending in (("md", "md"), ("latex", "tex")):
        write_text(folder / f"leaderboard.{ending}", FORMATS[name](rows_of(board)))


def _line(ranked: Ranked, column: str, places: Mapping[Path, str], reading: str) -> Line | None:
    if (cell := ranked.entry.cells.get(column)) is None:
        return None
    if (run := ranked.entry.folder) is None:
        return Line(ranked, cell, None, None, None)
    tasks = read_results(run).tasks.items()
    label, task = next(found for found in tasks if column_of(*found, reading) == column)
    link = f"{quote(places[run])}/index.html#{quote(label, safe='')}" if run in places else None
    return Line(ranked, cell, ranked.by_column.get(column), task, link)


def _order(line: Line) -> tuple[bool, bool, float]:
    """Measured before reported, the best first in each, those without a score last."""
    score = line.cell.score or 0.0
    worth = -score if line.cell.lower_is_better else score
    return line.task is None, line.cell.score is None, -worth


def _task_of(column: str) -> str:
    found = _TASK.match(column)
    return found[0] if found else column


def _drawn(line: Line) -> charts.Score:
    entry = line.ranked.entry
    return charts.Score(
        entry.name if entry.kind == "measured" else f"{entry.name} [{entry.source}]",
        line.cell.score, line.cell.ci95, entry.kind == "measured",
        None if line.task is None else line.task.chance,
    )  # fmt: skip
