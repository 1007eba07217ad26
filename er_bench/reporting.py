"""The Python API of pages about runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from er_bench.core.errors import DataError, StoreError, UnavailableError, UsageError
from er_bench.core.manifest import Manifest
from er_bench.core.record import Key
from er_bench.core.registry import Registry
from er_bench.core.task import OFFICIAL, ROBUST
from er_bench.data.run_folder import read_manifest, read_records
from er_bench.report.results import read_results
from er_bench.run.part_read import Span, parts_read
from er_bench.run.score_again import opened_for_run


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


def _parts(
    registry: Registry, folder: Path, manifest: Manifest, data: Path | None
) -> Mapping[Key, Mapping[str, Span]]:
    """The parts of the answers that are read; none where the rows are not at hand."""
    try:
        opened = opened_for_run(registry, manifest, data)
        return dict(parts_read(folder, manifest, read_records(folder), opened, [OFFICIAL, ROBUST]))
    except (DataError, StoreError, UsageError, UnavailableError):
        return {}
