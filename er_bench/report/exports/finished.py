"""A finished run as every exporter gets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from er_bench.core.manifest import Manifest
from er_bench.core.record import Record
from er_bench.data.files import writing
from er_bench.data.run_folder import read_manifest, read_records
from er_bench.report.results import Results, read_results


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What an exporter gets: a run folder, read."""

    folder: Path
    manifest: Manifest
    results: Results

    def records(self) -> Iterator[Record]:
        """The records, one at a time."""
        return read_records(self.folder)


Exporter = Callable[[FinishedRun, Path], Iterable[Path]]
"""Writes a run into a folder that exists, and says which files it wrote."""


def export(folder: Path, exporter: Exporter, out: Path) -> list[Path]:
    """Write a run in a format into a folder. Raises StoreError when `folder` is no finished run."""
    run = FinishedRun(folder, read_manifest(folder), read_results(folder))
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    return list(exporter(run, out))


def model_id(run: FinishedRun) -> tuple[str, str]:
    """Developer and model, as the hub writes `developer/model`; er-bench's own for references."""
    model = run.manifest.model
    developer, slash, name = model.checkpoint.partition("/")
    hub = re.fullmatch(r"[\w.-]+/[\w.-]+", model.checkpoint)
    if slash and hub and developer not in (".", ".."):
        return developer, name
    return "er-bench", safe(model.name.replace("/", "-"))


def safe(name: str) -> str:
    """A name that is one part of a path on every system."""
    return re.sub(r"[^\w.-]", "_", name, flags=re.ASCII).strip(".") or "_"


def made_at(run: FinishedRun) -> datetime:
    """When the run began."""
    return datetime.fromisoformat(run.manifest.info.created)
