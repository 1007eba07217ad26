"""The Python API of pages about runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from er_bench.core.errors import DataError, StoreError, UnavailableError, UsageError
from er_bench.core.manifest import Manifest
from er_bench.core.record import Key
from er_bench.core.registry import Registry
from er_bench.core.task import OFFICIAL, ROBUST
from er_bench.data.run_folder import RECORDS, read_manifest, read_records
from er_bench.report.results import FILE as RESULTS
from er_bench.report.results import Results, read_results
from er_bench.report.results_of_records import TaskContext, results_of
from er_bench.run.open_tasks import Opened
from er_bench.run.part_read import Span, parts_read
from er_bench.run.score_again import opened_for_run

if TYPE_CHECKING:
    from er_bench.report.compare import Link
    from er_bench.report.pages.serve import Viewer


def write_report(
    runs: Sequence[Path | str],
    *,
    out: Path | str | None = None,
    single: bool = False,
    data: Path | str | None = None,
    include: Iterable[Path | str] = (),
) -> Path:
    """Write pages about a run, or two side by side; returns the page.

    `out` is a new folder, `RUN/report` by default, or with `single` a file, `RUN/report.html`.
    Where the run's rows are at hand (`data`, if they have moved), the part of each answer that a
    reading rests on is marked. Raises StoreError, UsageError.
    """
    from er_bench.report.pages import write

    if not 1 <= len(runs) <= 2:
        raise UsageError("a report is about one run, or two")
    registry, shown = Registry(tuple(map(Path, include))), []
    for folder in map(Path, runs):
        manifest = read_manifest(folder)
        parts = _parts(registry, folder, manifest, Path(data) if data else None)
        results = read_results(folder)
        shown.append(write.ShownRun(folder, manifest, results, read_records(folder), parts))
    first = Path(runs[0])
    if single:
        return write.write_single(shown, Path(out) if out else first / "report.html")
    return write.write_report(shown, Path(out) if out else first / "report")


def open_viewer(
    run: Path | str, *, data: Path | str | None = None, include: Iterable[Path | str] = ()
) -> Viewer:
    """Pages of a run of any size, to be served; a run that is still going is followed.

    The numbers of a run that has no results yet are made of the records that there are. Raises
    StoreError for what is no run folder, DataError when such a run's rows are not at hand.
    """
    from er_bench.report.pages.serve import Viewer

    folder = Path(run)
    manifest = read_manifest(folder)
    opened: list[Opened] = []

    def results() -> Results:
        if _written_last(folder / RESULTS, folder / RECORDS):
            return read_results(folder)
        if not opened:
            registry = Registry(tuple(map(Path, include)))
            opened.extend(opened_for_run(registry, manifest, Path(data) if data else None))
        contexts = [TaskContext(o.task, o.split, o.found.fingerprint, o.why_not) for o in opened]
        return results_of(folder, manifest, contexts, read_records(folder))

    return Viewer(folder, results)


def sample_links(report: Path | str, runs: Sequence[Path | str]) -> Link:
    """The addresses of samples in pages that `write_report` wrote of these runs, or of one.

    Raises StoreError for what is no run, UsageError for pages of other runs.
    """
    from er_bench.report.pages import links, write

    names = [write.shown_name(read_manifest(run), read_results(run)) for run in map(Path, runs)]
    return links.sample_links(Path(report), names)


def _written_last(one: Path, other: Path) -> bool:
    return one.exists() and (
        not other.exists() or one.stat().st_mtime_ns >= other.stat().st_mtime_ns
    )


def _parts(
    registry: Registry, folder: Path, manifest: Manifest, data: Path | None
) -> Mapping[Key, Mapping[str, Span]]:
    """The parts of the answers that are read; none where the rows are not at hand."""
    try:
        opened = opened_for_run(registry, manifest, data)
        return dict(parts_read(folder, manifest, read_records(folder), opened, [OFFICIAL, ROBUST]))
    except (DataError, StoreError, UsageError, UnavailableError):
        return {}
