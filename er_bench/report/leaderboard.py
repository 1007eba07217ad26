"""Runs side by side, and beside reported scores: ranked, averaged, exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

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
    """The run folder, or the publication."""
    note: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Ranked:
    """An entry with its average over the columns `over`; only measured entries have a rank."""

    entry: Entry
    average: float | None
    over: Sequence[str]
    rank: int | None
    shared: bool = False
    """Whether another entry has the same rank."""

    @property
    def place(self) -> str:
        """The rank as it is shown: `2`, or `2=` where it is shared."""
        return "" if self.rank is None else f"{self.rank}{'=' if self.shared else ''}"


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """All entries, ordered within their kind."""

    columns: Sequence[str]
    entries: Sequence[Ranked]


def measured(results: Results) -> Entry:
    """A run as an entry; what is not comparable with reported scores has a column of its own."""
    note = f"{results.model.backend}, dialect {results.model.dialect}"
    cells = {column(name, task): _cell(task) for name, task in results.tasks.items()}
    name = results.run.name or results.model.name
    return Entry(name, "measured", results.run.id, note, cells)


def column(name: str, task: TaskResult) -> str:
    """The task's name where reported scores may stand beside it, else one of its own."""
    name = f"{name} {LOWER}" if task.lower_is_better else name
    if task.split == "official" and (name in task.comparable or task.status == "unavailable"):
        return name
    return f"{name} ({'own rows' if task.split == 'official' else task.split})"


def _cell(task: TaskResult) -> Cell:
    return Cell(
        task.score, task.status, task.stderr, task.ci95, task.n_scored, task.n_total,
        lower_is_better=task.lower_is_better,
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


def rank(entries: Sequence[Entry], ahead: Ahead | None = None) -> Leaderboard:
    """Order entries by their average over the columns that all entries have.

    An entry's rank is one more than the number of entries that are `ahead` of it; without that
    function, that have a higher average. So entries that cannot be told apart share a rank.

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
        averages = sorted((_average(e, over) or 0.0 for e in own), reverse=True)
        for entry in sorted(own, key=lambda e: -(_average(e, over) or 0.0)):
            average = _average(entry, over)
            place = None
            if kind == "measured" and average is not None:
                place = averages.index(average) + 1
                if ahead is not None:
                    place = 1 + sum(ahead(o, entry, over) for o in own if o is not entry)
            placed.append(Ranked(entry, average, over, place))
    ranks = Counter(r.rank for r in placed if r.rank is not None)
    shown = [replace(r, shared=r.rank is not None and ranks[r.rank] > 1) for r in placed]
    return Leaderboard(columns, shown)


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
        "columns": list(board.columns),
        "entries": [
            {
                "name": r.entry.name,
                "kind": r.entry.kind,
                "rank": r.rank,
                "rank_shared": r.shared,
                "average": r.average,
                "average_over": list(r.over),
                "source": r.entry.source,
                "note": r.entry.note,
                "scores": {column: asdict(cell) for column, cell in r.entry.cells.items()},
            }
            for r in board.entries
        ],
    }


def to_csv(board: Leaderboard) -> str:
    """One line an entry and column; `rank` is the entry's, `2=` where it is shared."""
    heading = ("kind", "name", "source", "column", "status", "score", "stderr", "rank")
    lines: list[Sequence[object]] = [heading]
    for r in board.entries:
        about = (r.entry.kind, r.entry.name, r.entry.source)
        lines += [
            (*about, column, cell.status, cell.score, cell.stderr, r.place)
            for column, cell in r.entry.cells.items()
        ]
    return "".join(map(csv_line, lines))
