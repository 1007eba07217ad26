"""A table as typed data, and that data as JSON, CSV, Markdown, LaTeX or HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from er_bench.report import board_text
from er_bench.report.spreadsheet import csv_line

Cell = str | int | float | None | tuple[float, float] | tuple[int, int]
Kind = Literal["text", "count", "percent", "interval", "share"]
"""Of a column's cells: a text or a truth value; a whole number; a fraction, shown in percent; the
two ends of an interval of fractions; a number of so many."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, the kind of its cells, and what JSON and CSV call them."""

    name: str
    kind: Kind = "text"
    keys: tuple[str, ...] = ()
    """Two for an interval and a share; the name, with underscores, where nothing is told."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names in JSON and CSV."""
        return self.keys or (self.name.replace(" ", "_"),)

    def shown(self, cell: Cell) -> str:
        """A cell as people read it; a number that is not there is a dash."""
        if cell is None:
            return "" if self.kind == "text" else "-"
        if isinstance(cell, bool):
            return "yes" if cell else "no"
        if isinstance(cell, tuple):
            ends = (f"{end * 100:.1f}" if self.kind == "interval" else str(end) for end in cell)
            return (" .. " if self.kind == "interval" else "/").join(ends)
        return f"{cell * 100:.1f}" if self.kind == "percent" else str(cell)

    def values(self, cell: Cell) -> tuple[Cell, ...]:
        """A cell as numbers and texts, one for each of the names; fractions stay fractions."""
        if isinstance(cell, tuple):
            return cell
        return (cell,) * len(self.names)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: rows of as many cells as there are columns."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    @property
    def heading(self) -> list[str]:
        """The names that people read."""
        return [column.name for column in self.columns]

    @property
    def texts(self) -> list[list[str]]:
        """The rows as people read them."""
        return [
            [column.shown(cell) for column, cell in zip(self.columns, row, strict=True)]
            for row in self.rows
        ]

    @property
    def records(self) -> list[dict[str, Cell]]:
        """The rows as values by name."""
        return [
            {
                name: value
                for column, cell in zip(self.columns, row, strict=True)
                for name, value in zip(column.names, column.values(cell), strict=True)
            }
            for row in self.rows
        ]


def columns(*names: str) -> list[Column]:
    """Columns of texts."""
    return [Column(name) for name in names]


def to_csv(sheet: Sheet) -> str:
    """A heading and a line a row, fractions as fractions."""
    names = [name for column in sheet.columns for name in column.names]
    return "".join(csv_line([*row]) for row in [names, *(r.values() for r in sheet.records)])


def _left(sheet: Sheet) -> list[int]:
    return [k for k, column in enumerate(sheet.columns) if column.kind == "text"]


TEXTS: Mapping[str, Callable[[Sheet], str]] = {
    "csv": to_csv,
    "md": lambda sheet: board_text.markdown([sheet.heading, *sheet.texts], _left(sheet)),
    "latex": lambda sheet: board_text.latex([sheet.heading, *sheet.texts], _left(sheet)),
    "html": lambda sheet: board_text.html([sheet.heading, *sheet.texts]),
}
"""The formats that are texts; `table` and `json` are the terminal's own."""
FORMATS = ("table", "json", *TEXTS)
