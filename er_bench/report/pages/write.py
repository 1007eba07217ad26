"""Writing pages: a folder that opens from disk, or one file that holds everything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from er_bench.core.errors import UsageError
from er_bench.core.manifest import Manifest
from er_bench.core.record import Key, Record
from er_bench.data.files import safe_name, whole_folder, write_text
from er_bench.data.run_folder import StoredPrompt, read_prompts
from er_bench.report.pages import charts
from er_bench.report.pages.pictures import Pictures
from er_bench.report.pages.sample_view import Span, View, sample_view, shortened
from er_bench.report.results import ReadingResult, Results, TaskResult

CHUNK = 250
"""Samples in one file of data."""
MOST_SINGLE = 1000
"""Samples that one self-contained file may hold."""
MOST_SINGLE_BYTES = 25_000_000
PACKAGE = "er_bench.report.pages"


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run as the pages show it."""

    folder: Path
    manifest: Manifest
    results: Results
    records: Iterable[Record]
    parts_read: Mapping[Key, Mapping[str, Span]] = field(default_factory=dict)
    """The part of the answer that each reading rests on, where it is known."""


def write_report(runs: Sequence[ShownRun], out: Path) -> Path:
    """Write a folder of pages about a run, or two side by side; returns `index.html`.

    Raises UsageError when `out` holds something, StoreError when it cannot be written.
    """
    with whole_folder(out) as folder:
        pictures = [
            Pictures(run.folder, run.manifest, folder / f"media{number or ''}")
            for number, run in enumerate(runs)
        ]
        data = folder / "data"
        data.mkdir()
        chunks: dict[str, list[str]] = {}
        for label, number, content in _chunks(runs, pictures):
            name = f"data/{safe_name(label)}-{number:03d}.js"
            write_text(folder / name, f"ER_CHUNK({in_script(content)});\n")
            chunks.setdefault(label, []).append(name)
        for name in ("report.js", "report.css"):
            write_text(folder / name, static(name))
        write_text(folder / "index.html", page(runs, chunks, single=False))
    return out / "index.html"


def write_single(runs: Sequence[ShownRun], out: Path) -> Path:
    """Write one file that holds pictures and data. Raises UsageError for what is too large."""
    n = sum(task.n_total for task in runs[0].results.tasks.values())
    if n > MOST_SINGLE:
        raise UsageError(
            f"the run has {n:,} samples; one file holds up to {MOST_SINGLE:,}, leave --single out"
        )
    pictures = [Pictures(run.folder, run.manifest, None) for run in runs]
    chunks: dict[str, list[str]] = {}
    contents: list[tuple[str, View]] = []
    for label, number, content in _chunks(runs, pictures):
        name = f"{safe_name(label)}-{number:03d}"
        contents.append((name, content))
        chunks.setdefault(label, []).append(name)
    text = page(runs, chunks, single=True, contents=contents)
    if len(text.encode()) > MOST_SINGLE_BYTES:
        raise UsageError(
            f"one file would have {len(text.encode()) / 1e6:.0f} MB; leave --single out"
        )
    write_text(out, text)
    return out


def page(
    runs: Sequence[ShownRun],
    chunks: Mapping[str, Sequence[str]],
    *,
    single: bool,
    contents: Sequence[tuple[str, View]] = (),
    progress: tuple[int, int] | None = None,
) -> str:
    """The page: everything but the samples, which are in the chunks.

    `progress`, records done and in all, is of a page that is served: it follows the run.
    """
    environment = Environment(
        loader=PackageLoader(PACKAGE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["percent"] = _percent
    results = [run.results for run in runs]
    names = [shown_name(run.manifest, run.results) for run in runs]
    meta = {
        "chunks": {shortened(label): names for label, names in chunks.items()},
        "runs": names,
        "single": single,
        "progress": None if progress is None or progress[0] >= progress[1] else progress,
    }
    rendered: str = environment.get_template("report.html.jinja").render(
        runs=[
            {
                "name": shown_name(run.manifest, run.results),
                "results": run.results,
                "model": _model(run),
            }
            for run in runs
        ],
        tasks=_tasks(results),
        served=progress is not None,
        lower=any(task.lower_is_better for made in results for task in made.tasks.values()),
        chart=Markup(charts.scores(results)),  # made here, not told by anybody
        meta=Markup(in_script(meta)),
        contents=[(name, Markup(in_script(content))) for name, content in contents],
        css=Markup(static("report.css")) if single else None,
        js=Markup(static("report.js")) if single else None,
    )
    return rendered


def in_script(value: object) -> str:
    """JSON that is harmless inside a script: nothing in it ends the element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def static(name: str) -> str:
    """A file of `static/`."""
    return (files(PACKAGE) / "static" / name).read_text(encoding="utf-8")


def _chunks(
    runs: Sequence[ShownRun], pictures: Sequence[Pictures]
) -> Iterator[tuple[str, int, View]]:
    """Task, number and content of each chunk: samples of the first run, the second's beside."""
    prompts = {prompt.sha256: prompt for run in runs for prompt in read_prompts(run.folder)}
    second: dict[Key, Record] = {r.key: r for r in runs[1].records} if len(runs) > 1 else {}
    by_task: dict[str, list[Record]] = {}
    for record in runs[0].records:
        by_task.setdefault(record.task, []).append(record)
    for label, records in by_task.items():
        for number, batch in enumerate(_batches(records)):
            yield label, number, chunk(runs, pictures, label, number, batch, second, prompts)


def chunk(
    runs: Sequence[ShownRun],
    pictures: Sequence[Pictures],
    label: str,
    number: int,
    records: Sequence[Record],
    second: Mapping[Key, Record],
    prompts: Mapping[str, StoredPrompt],
) -> View:
    """Some samples of a task, those of the second run beside them, and their prompts."""
    views, used = [], dict[str, Any]()
    for record in records:
        view = _view(runs[0], pictures[0], record)
        if (other := second.get(record.key)) is not None:
            view["other"] = _view(runs[1], pictures[1], other)
        views.append(view)
        for turn in [*view["turns"], *view.get("other", {}).get("turns", [])]:
            if (sha256 := turn["prompt"]) in prompts:
                used[sha256] = _prompt(prompts[sha256])
    return {"task": shortened(label), "n": number, "samples": views, "prompts": used}


def _batches(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for first in range(0, len(records), CHUNK):
        yield records[first : first + CHUNK]


def _view(run: ShownRun, pictures: Pictures, record: Record) -> View:
    return sample_view(
        record,
        lambda ref: pictures.picture(record.task, ref),
        lambda ref: pictures.mask(record.task, ref),
        lambda frames: pictures.film(record.task, frames),
        run.parts_read.get(record.key, {}),
        [name for name, made in _readings(run, record.task).items() if made.lower_is_better],
    )


def _readings(run: ShownRun, label: str) -> Mapping[str, ReadingResult]:
    task = run.results.tasks.get(label)
    return {} if task is None else task.readings


def _prompt(prompt: StoredPrompt) -> list[View]:
    return [
        {
            "role": message.role,
            "parts": [
                shortened(part.text) if part.text is not None else f"[medium {part.medium or 0}]"
                for part in message.parts
            ],
        }
        for message in prompt.messages
    ]


def _tasks(results: Sequence[Results]) -> list[tuple[str, list[TaskResult | None]]]:
    labels = dict.fromkeys(label for run in results for label in run.tasks)
    return [(label, [run.tasks.get(label) for run in results]) for label in labels]


def shown_name(manifest: Manifest, results: Results) -> str:
    """What a page calls a run."""
    return f"{results.run.name or manifest.model.name} · {results.run.id}"


def _model(run: ShownRun) -> dict[str, str]:
    model, info = run.manifest.model, run.results.run
    return {
        "model": model.name,
        "checkpoint": model.checkpoint + (f" @ {model.revision}" if model.revision else ""),
        "backend": model.backend,
        "dialect": model.dialect,
        "decoding": json.dumps(model.decoding, ensure_ascii=False),
        "made": f"{info.created}, er-bench {info.er_bench_version}",
        "command": " ".join(info.command),
    }


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
