"""Tables for people: percent, counts, and what is missing in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import table as rich_table
from rich.console import Console, RenderableType

from er_bench.cli.terminal import show, show_json, tell, visible
from er_bench.report.sheet import TEXTS, Cell, Column, Sheet, columns

if TYPE_CHECKING:
    from er_bench.api import Evaluation
    from er_bench.report.leaderboard import Entry, Leaderboard
    from er_bench.report.results import Results, TaskResult


class Table(rich_table.Table):
    """A table whose texts are written out as the terminal may have them."""

    def __init__(self, *, title: str = "", caption: str | None = None) -> None:
        super().__init__(title=visible(title), caption=caption)

    def add_column(self, header: RenderableType = "", *args: Any, **kwargs: Any) -> None:
        """A column under a heading."""
        super().add_column(_clean(header), *args, **kwargs)

    def add_row(self, *cells: RenderableType | None, **kwargs: Any) -> None:
        """A line of cells."""
        super().add_row(*map(_clean, cells), **kwargs)


def _clean(cell: Any) -> Any:
    return visible(cell) if isinstance(cell, str) else cell


def printed(table: Table) -> None:
    """Print a table in the terminal's width, on a pipe in 80 columns or `COLUMNS`; texts wrap."""
    Console(markup=False).print(table)


def fits(table: Table) -> bool:
    """Whether a table can be printed without breaking a cell."""
    wide = Console(markup=False, width=10_000)
    return wide.measure(table).maximum <= Console().width


def percent(value: float | None) -> str:
    """A fraction in percent, or a dash."""
    return "-" if value is None else f"{value * 100:.1f}"


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's table and its words go, by `--format` and `--quiet`."""

    format_name: str = "table"
    quiet: bool = False

    def put(self, sheet: Sheet) -> None:
        """Print the command's table; in another format than `table` it alone is standard output."""
        if self.format_name == "json":
            show_json(sheet.records)
        elif self.format_name != "table":
            show(TEXTS[self.format_name](sheet).removesuffix("\n"))
        else:
            printed(_drawn(sheet))

    def say(self, line: object) -> None:
        """A line about the table: beneath it, else to standard error; nowhere when quiet."""
        if not self.quiet:
            (show if self.format_name == "table" else tell)(line)

    def tell(self, line: object) -> None:
        """A line to standard error; nowhere when quiet."""
        if not self.quiet:
            tell(line)


def _drawn(sheet: Sheet) -> Table:
    table = Table(title=sheet.title, caption=sheet.caption or None)
    for column in sheet.columns:
        table.add_column(
            column.name, overflow="fold", no_wrap=column.kind in ("percent", "interval")
        )
    for row in sheet.texts:
        table.add_row(*row)
    return table


def plan_sheet(made: Evaluation) -> Sheet:
    """What a run would do."""
    model, repeats = made.model, made.options.repeats
    counts = [Column(name, "count") for name in ("rows", "to run", "missing", "faulty")]
    rows: list[list[Cell]] = []
    for o in made.opened:
        f = o.found
        rows.append(
            [o.task.label, o.split, o.task.protocol, f.n_rows, f.n_wanted, len(f.missing),
             len(f.faults), o.why_not]
        )  # fmt: skip
    return Sheet(
        f"{model.name}, dialect {model.dialect.name}, repeats {repeats}",
        [*columns("task", "split", "protocol"), *counts, *columns("why not")],
        rows,
        model.pictures,
    )


def results_sheet(results: Results) -> Sheet:
    """One run, a line a task."""
    return Sheet(
        f"{results.run.name or results.model.name} (percent)",
        [
            Column("task"),
            Column("score", "percent"),
            Column("95% interval", "interval", ("ci95_low", "ci95_high")),
            Column("robust", "percent", ("robust_score",)),
            Column("scored", "share", ("n_scored", "n_total")),
            Column("remarks"),
        ],
        [[name, *_result_cells(task)] for name, task in results.tasks.items()],
    )


def print_results(results: Results, out: Output) -> None:
    """One run: a table with a line a task, then what a table has no room for."""
    out.put(results_sheet(results))
    if results.summary.n_tasks and out.format_name == "table":
        show(_mean(results))
    for line in _result_notes(results):
        out.say(line)


def _mean(results: Results) -> str:
    summary = results.summary
    noun = "task" if summary.n_tasks == 1 else "tasks"
    absent = [name for name, task in results.tasks.items() if task.status == "unavailable"]
    incomplete = any(task.status == "incomplete" for task in results.tasks.values())
    marks = ", incomplete" if incomplete else ""
    marks += f"; cannot run here: {', '.join(absent)}" if absent else ""
    error = "" if summary.stderr is None else f" ±{percent(summary.stderr)}"
    return f"mean of {summary.n_tasks} {noun}: {percent(summary.average)}{error}{marks}"


def _result_notes(results: Results) -> Iterator[str]:
    from er_bench.report.results import LOWER

    if any(task.lower_is_better for task in results.tasks.values()):
        yield f"{LOWER} lower is better; such a task is not in the mean"
    for name, task in results.tasks.items():
        for note in _task_notes(task):
            yield f"{name}{note}"


def _task_notes(task: TaskResult) -> Iterator[str]:
    """What is to be said after the task's name."""
    if metrics := task.readings["official"].metrics:
        yield ": " + ", ".join(f"{what} {m:.3g}" for what, m in metrics.items())
    others = {r: f.score for r, f in task.readings.items() if r not in ("official", "robust")}
    if others:
        yield ", read otherwise: " + ", ".join(f"{r} {percent(s)}" for r, s in others.items())
    if task.n_without_text:
        counts = ", ".join(f"{n} {why}" for why, n in task.n_without_text.items())
        yield f": samples with an answer without text: {counts}"
    if (spread := task.repeat_variance) is not None:
        whole = spread.within + spread.between
        share = f" ({spread.within / whole:.0%} of the variance)" if whole else ""
        yield (
            f": between repeats of a sample scores scatter by {percent(spread.within**0.5)}"
            f"{share}, between samples by {percent(spread.between**0.5)}"
        )
    if task.n_truncated:
        yield f": cut at the token limit: {task.n_truncated}"
    if task.n_left_out:
        left, of = task.n_left_out, task.n_scored
        yield f": the mean leaves out {left} of {of} scored, as the released code does"
    for note in filter(None, (task.why, *task.dataset.remarks, *task.dataset.accepted)):
        yield f": {note}"


def _result_cells(task: TaskResult) -> list[Cell]:
    from er_bench.report.results import LOWER

    counts = {
        "unparsed": task.n_unparsed, "read otherwise by robust": task.n_format_failures,
        "data errors": task.n_data_error, "model errors": task.n_model_error,
        "env errors": task.n_env_error,
    }  # fmt: skip
    remarks = [f"{task.metric} {LOWER}" if task.lower_is_better else task.metric]
    remarks += [task.split] if task.split != "official" else []
    remarks += [f"chance {percent(task.chance)}"] if task.chance is not None else []
    remarks += [f"{count} {what}" for what, count in counts.items() if count]
    part = task.why if (task.why or "").startswith("part ") else None
    remarks += [part or task.status] if task.status != "complete" else []
    return [
        task.score, task.ci95, task.robust_score, (task.n_scored, task.n_total), ", ".join(remarks)
    ]  # fmt: skip


def print_leaderboard(board: Leaderboard, *, quiet: bool = False) -> None:
    """Measured entries first, then reported ones; then the notes.

    A line a model where that fits, else a line a task and the models beside one another, in as many
    tables as they need.
    """
    table = _a_line_a_model(board)
    if fits(table):
        printed(table)
    else:
        for part in _a_line_a_task(board):
            printed(part)
    if not quiet:
        show("\n".join(_notes(board)))


def _name(entry: Entry) -> str:
    return entry.name if entry.kind == "measured" else f"{entry.name} [reported]"


def _a_line_a_model(board: Leaderboard) -> Table:
    from er_bench.report.leaderboard import show as cell_text

    table = Table(title="Leaderboard (percent)")
    table.add_column("rank", justify="right")
    table.add_column("model", overflow="fold")
    table.add_column("average", justify="right")
    for column in board.columns:
        table.add_column(column, justify="right")
    kinds = [r.entry.kind for r in board.entries]
    for number, r in enumerate(board.entries):
        if number and kinds[number] != kinds[number - 1]:
            table.add_section()
        cells = [cell_text(r.entry.cells.get(c)) for c in board.columns]
        table.add_row(r.place or "-", _name(r.entry), percent(r.average), *cells)
    return table


def _a_line_a_task(board: Leaderboard) -> Iterator[Table]:
    """Tables of as many models as fit, the tasks one below the other in each."""
    from er_bench.report.leaderboard import show as cell_text

    first = max(map(len, (*board.columns, "average")))
    # A cell holds `100.0 ±10.0*` and its borders; a name is broken into lines of that width.
    room = max(1, (Console().width - first - 4) // 14)
    for start in range(0, len(board.entries), room):
        entries = board.entries[start : start + room]
        table = Table(title="Leaderboard (percent)" if not start else "")
        table.add_column("")
        for r in entries:
            name = _name(r.entry).replace("/", "/\n")  # else it breaks anywhere
            table.add_column(name, justify="right", overflow="fold", width=11)
        table.add_row("rank", *(r.place or "-" for r in entries))
        table.add_row("average", *(percent(r.average) for r in entries))
        table.add_section()
        for column in board.columns:
            table.add_row(column, *(cell_text(r.entry.cells.get(column)) for r in entries))
        yield table


def _notes(board: Leaderboard) -> list[str]:
    from er_bench.core.task import OFFICIAL
    from er_bench.report.results import LOWER

    notes = [] if board.reading == OFFICIAL else [f"scores by the reading {board.reading}"]
    notes += ["* incomplete: some samples were not scored; such a column is in no average"]
    if any(LOWER in column for column in board.columns):
        notes.append(f"{LOWER} lower is better; such a column is in no average")
    if any(r.overall is not None and r.overall.shared for r in board.entries):
        notes.append("= a shared rank: the 95% interval of the paired difference holds zero")
    for kind in ("measured", "reported"):
        entries = [r for r in board.entries if r.entry.kind == kind]
        if entries and entries[0].over:
            notes.append(f"average of {kind} rows: over {', '.join(entries[0].over)}")
    if any(r.entry.kind == "reported" for r in board.entries):
        sources = sorted({f"{r.entry.source}: {r.entry.note}" for r in board.entries
                          if r.entry.kind == "reported"})  # fmt: skip
        notes.append("[reported] rows are published numbers, not measured here, and have no rank")
        notes += sources
        notes += [
            f"? {r.entry.name}, {column}: {cell.doubt}"
            for r in board.entries
            for column, cell in r.entry.cells.items()
            if cell.doubt
        ]
    return notes
