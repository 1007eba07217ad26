"""The Python API of leaderboards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import cast

from er_bench.comparing import Ahead
from er_bench.core.errors import UsageError
from er_bench.core.registry import Kind, Registry, unknown
from er_bench.core.task import OFFICIAL
from er_bench.data.files import whole_folder
from er_bench.report import leaderboard as board
from er_bench.report.exports.finished import Exporter, export
from er_bench.report.reported import read_reported, reported_sources
from er_bench.report.results import read_results, run_folders
from er_bench.reporting import write_report

ALL = "all"


def leaderboard(
    runs: Iterable[Path | str],
    *,
    reported: Sequence[str] = (),
    reading: str = OFFICIAL,
    include: Iterable[Path | str] = (),
) -> board.Leaderboard:
    """Runs side by side, ranked by a reading, and beside published scores.

    `runs` are run folders, or folders of such. `reported` are names of sources; `("all",)` takes
    the rows of every source that stand in a column of the runs. Runs share a rank where the
    interval of their paired difference holds zero. A task that has no such reading is left out.
    Raises StoreError for what is no run, UsageError for an unknown source or reading, or when there
    is nothing to show.
    """
    if reported and reading != OFFICIAL:
        raise UsageError("published scores stand beside the official reading alone")
    folders = [folder for run in runs for folder in run_folders(Path(run))]
    results = [read_results(folder) for folder in folders]
    known = {name for result in results for task in result.tasks.values() for name in task.readings}
    if results and reading not in known:
        raise unknown("reading of these runs", reading, known)
    entries = [
        board.measured(result, folder, reading)
        for result, folder in zip(results, folders, strict=True)
    ]
    columns = set(Registry(tuple(map(Path, include))).task_folders)
    everything = list(reported) == [ALL]
    if everything and entries:  # a hundred rows: those that something here stands beside
        columns &= {column for entry in entries for column in entry.cells}
    for name in reported_sources() if everything else reported:
        entries += board.reported_entries(read_reported(name), columns)
    if not entries:
        raise UsageError("give at least one RUN, or --reported SOURCE")
    compared = Ahead(reading)

    def ahead(one: board.Entry, other: board.Entry, over: Sequence[str]) -> bool:
        assert one.folder is not None and other.folder is not None, "only runs are ranked"
        return compared(one.folder, other.folder, over)

    return board.rank(entries, ahead, reading)


def write_site(
    made: board.Leaderboard,
    out: Path | str,
    *,
    samples: bool = True,
    include: Iterable[Path | str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write a leaderboard as pages that open from disk; returns `index.html` in a new folder.

    A page has the table, one for each column has its scores and what is known of them. With
    `samples` the pages and all exports of each run lie beside them, which takes a while for large
    runs: `tell` gets a line before each. Raises UsageError when `out` holds something, StoreError.
    """
    from er_bench.report.pages import site

    registry = Registry(tuple(map(Path, include)))
    with whole_folder(Path(out)) as folder:
        places = site.run_places(made) if samples else {}
        for run, place in places.items():
            tell(f"pages of {run}")
            write_report([run], out=folder / place, include=include)
            for name in registry.names(Kind.EXPORTER):
                exporter = cast("Exporter", registry.find(Kind.EXPORTER, name))
                out_of_it = folder / place / "exports" / name
                try:
                    export(run, exporter, out_of_it)
                except UsageError as why:  # a format for other runs
                    out_of_it.rmdir()
                    tell(f"no export to {name}: {why}")
        cards = {name: registry.task_card(name) for name in registry.task_folders}
        site.write(made, folder, cards, places)
    return Path(out) / "index.html"
