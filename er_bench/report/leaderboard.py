"""Runs side by side, and beside reported scores: ranked, averaged, exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from er_bench.core.task import OFFICIAL
from er_bench.report.reported import Reported
from er_bench.report.results import LOWER, Results, TaskResult
from er_bench.report.spreadsheet import csv_line


@dataclass(frozen=True, slots=True)
class Cell:
    """One score, a fraction; None where there is none."""

    score: float | None
    status: str
    """complete, incomplete, unavailable or reported."""
    stderr: float | None = None
    ci95: tuple[float, float] | None = None
    n_scored: int | None = None
    n_total: int | None = None
    doubt: str = ""
    """Why a reported number may be wrong."""
    lower_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a run, or a model of a reported source."""

    name: str
    kind: Literal["measured", "reported"]
    source: str
    """The name of the run folder, or of the publication."""
    note: str
    cells: Mapping[str, Cell]
    folder: Path | None = None
    """Where the run is."""


@dataclass(frozen=True, slots=True)
class Place:
    """A rank, and whether another entry has the same."""

    rank: int
    shared: bool

    def __str__(self) -> str:
        """As it is shown: `2`, or `2=` where it is shared."""
        return f"{self.rank}{'=' if self.shared else ''}"


@dataclass(frozen=True, slots=True)
class Ranked:
    """An entry with its average over the columns `over`; only measured entries have places."""

    entry: Entry
    average: float | None
    over: Sequence[str]
    overall: Place | None = None
    """By the average."""
    by_column: Mapping[str, Place] = field(default_factory=dict)
    """In each column with a score of a complete run."""

    @property
    def rank(self) -> int | None:
        """The overall rank."""
        return None if self.overall is None else self.overall.rank

    @property
    def place(self) -> str:
        """The overall rank as it is shown; empty where there is none."""
        return str(self.overall or "")


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """All entries, ordered within their kind."""

    columns: Sequence[str]
    entries: Sequence[Ranked]
    reading: str = OFFICIAL
    """What measured scores are read by."""


def measured(results: Results, folder: Path | None = None, reading: str = OFFICIAL) -> Entry:
    """A run as an entry; what is not comparable with reported scores has a column of its own.

    A task that was not judged by the reading has no cell; one that did not run keeps its mark.
    """
    note = f"{results.model.backend}, dialect {results.model.dialect}"
    cells = {
        column(name, task, reading): _cell(task, reading)
        for name, task in results.tasks.items()
        if reading in task.readings or task.status == "unavailable"
    }
    name = results.run.name or results.model.name
    return Entry(name, "measured", results.run.id, note, cells, folder)


def column(name: str, task: TaskResult, reading: str = OFFICIAL) -> str:
    """The task's name where reported scores may stand beside it, else one of its own."""
    read = task.readings.get(reading)
    name = f"{name} {LOWER}" if read and read.lower_is_better else name
    if task.split == "official" and (name in task.comparable or task.status == "unavailable"):
        return name
    return f"{name} ({'own rows' if task.split == 'official' else task.split})"


def _cell(task: TaskResult, reading: str) -> Cell:
    read = task.readings.get(reading)
    if read is None:
        return Cell(None, task.status, n_scored=task.n_scored, n_total=task.n_total)
    return Cell(
        read.score, task.status, read.stderr, read.ci95, task.n_scored, task.n_total,
        lower_is_better=read.lower_is_better,
    )  # fmt: skip


def reported_entries(source: Reported, columns: Collection[str]) -> list[Entry]:
    """The models of a source that have a score in one of these columns."""
    entries = []
    for name in source.rows:
        doubts = source.doubts.get(name, {})
        cells = {
            column: Cell(score / 100, "reported", doubt=doubts.get(column, ""))
            for column, score in source.cells(name).items()
            if column in columns
        }
        if cells:
            entries.append(Entry(name, "reported", source.name, source.source, cells))
    return entries


Ahead = Callable[[Entry, Entry, Sequence[str]], bool]
"""Whether the first entry is better than the second over some columns, beyond chance."""


def rank(
    entries: Sequence[Entry], ahead: Ahead | None = None, reading: str = OFFICIAL
) -> Leaderboard:
    """Order entries by their average over the columns that all entries have.

    An entry's rank, overall and in each column, is one more than the number of entries that are
    `ahead` of it; without that function, that are better by the number. So entries that cannot be
    told apart share a rank.

    Where measured and reported entries share no column (the mini split has no reported scores),
    each kind is averaged over its own common columns. A cell without a score, or of an incomplete
    run, is in no average: its column drops out for everybody; nor is one where lower is better.
    Reported entries are never ranked.
    """
    columns = list(dict.fromkeys(c for e in entries for c in e.cells))
    shared = _common(columns, entries)
    placed: list[Ranked] = []
    for kind in ("measured", "reported"):
        own = [e for e in entries if e.kind == kind]
        over = shared or _common(columns, own)
        averages = [_average(e, over) for e in own]
        places, by_column = dict[int, Place](), dict[str, dict[int, Place]]()
        if kind == "measured":
            places = _places(own, averages, over, ahead)
            by_column = {c: _places(own, [_worth(e, c) for e in own], [c], ahead) for c in columns}
        lines = []
        for k, entry in enumerate(own):
            in_columns = {c: found[k] for c, found in by_column.items() if k in found}
            lines.append(Ranked(entry, averages[k], over, places.get(k), in_columns))
        placed += sorted(lines, key=lambda r: -(r.average or 0.0))
    return Leaderboard(columns, placed, reading)


def _places(
    entries: Sequence[Entry],
    values: Sequence[float | None],
    over: Sequence[str],
    ahead: Ahead | None,
) -> dict[int, Place]:
    """Places by the number of the entry, of those with a value; more is better."""
    known = {k: value for k, value in enumerate(values) if value is not None}

    def better(one: int, other: int) -> bool:
        if ahead is None:
            return known[one] > known[other]
        return one != other and ahead(entries[one], entries[other], over)

    ranks = {k: 1 + sum(better(other, k) for other in known) for k in known}
    counts = Counter(ranks.values())
    return {k: Place(found, counts[found] > 1) for k, found in ranks.items()}


def _worth(entry: Entry, column: str) -> float | None:
    """A cell's score as more is better; None where it has none, or its run is incomplete."""
    cell = entry.cells.get(column)
    if cell is None or cell.score is None or cell.status != "complete":
        return None
    return -cell.score if cell.lower_is_better else cell.score


def _common(columns: Sequence[str], entries: Sequence[Entry]) -> list[str]:
    return [c for c in columns if all(_counts(e.cells.get(c)) for e in entries)]


def _counts(cell: Cell | None) -> bool:
    if cell is None or cell.score is None or cell.lower_is_better:
        return False
    return cell.status in ("complete", "reported")


def _average(entry: Entry, columns: Sequence[str]) -> float | None:
    scores = [entry.cells[c].score or 0.0 for c in columns]
    return sum(scores) / len(scores) if scores else None


def show(cell: Cell | None) -> str:
    """A cell in percent, marked: `*` incomplete, `?` doubtful, `n/a` unavailable, `-` none."""
    if cell is None:
        return "-"
    if cell.score is None:
        return "n/a" if cell.status == "unavailable" else f"none ({cell.n_scored}/{cell.n_total})"
    text = f"{cell.score * 100:.1f}"
    if cell.stderr is not None:
        text += f" ±{cell.stderr * 100:.1f}"
    return text + ("*" if cell.status == "incomplete" else "") + ("?" if cell.doubt else "")


def to_json(board: Leaderboard) -> dict[str, Any]:
    """The leaderboard as data; scores are fractions."""
    return {
        "schema_version": "1.0",
        "reading": board.reading,
        "columns": list(board.columns),
        "entries": [
            {
                "name": r.entry.name,
                "kind": r.entry.kind,
                **_told(r.overall),
                "average": r.average,
                "average_over": list(r.over),
                "source": r.entry.source,
                "note": r.entry.note,
                "scores": {
                    column: asdict(cell) | _told(r.by_column.get(column))
                    for column, cell in r.entry.cells.items()
                },
            }
            for r in board.entries
        ],
    }


def _told(place: Place | None) -> dict[str, Any]:
    rank, shared = (None, False) if place is None else (place.rank, place.shared)
    return {"rank": rank, "rank_shared": shared}


def to_csv(board: Leaderboard) -> str:
    """One line an entry and column; ranks in the column and overall, `2=` where they are shared."""
    heading = (
        "kind", "name", "source", "column", "status", "score", "stderr", "rank", "rank_overall",
    )  # fmt: skip
    lines: list[Sequence[object]] = [heading]
    for r in board.entries:
        about = (r.entry.kind, r.entry.name, r.entry.source)
        for column, cell in r.entry.cells.items():
            ranks = (str(r.by_column.get(column, "")), r.place)
            lines.append((*about, column, cell.status, cell.score, cell.stderr, *ranks))
    return "".join(map(csv_line, lines))
