"""The Python API of merging: the parts of one run, made by several processes, to one run."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from er_bench.api import Run, counted, load_run
from er_bench.core.errors import StoreError, UsageError
from er_bench.core.manifest import Manifest
from er_bench.core.paths import resolved
from er_bench.core.record import Key
from er_bench.core.registry import Registry
from er_bench.data.files import whole_folder
from er_bench.data.run_folder import MEDIA, PROMPTS, TEXTS, read_manifest, read_records
from er_bench.report.results import run_folders
from er_bench.run import score_again
from er_bench.run.evaluate import place_of
from er_bench.run.open_tasks import Opened
from er_bench.run.store import RunStore, lock, run_differences, stray


def merge(
    runs: Iterable[Path | str],
    out: Path | str,
    *,
    data: Path | str | None = None,
    include: Sequence[Path | str] = (),
) -> Run:
    """One run of its parts, as if one process had made it: the same scores, errors, intervals.

    `runs` are folders of `er-bench run --shard I/N`, or folders of such; every part must be there
    once, and ended. `data` is where the rows are, if they are elsewhere than they were. Raises
    UsageError for parts that are missing, given twice, or of several runs (named by what differs),
    StoreError for a folder that is no part, is being written, or holds a sample that is not its.
    """
    folders = [found for run in runs for found in run_folders(Path(run))]
    if twice := [f for k, f in enumerate(folders) if resolved(f) in map(resolved, folders[:k])]:
        raise UsageError(f"{twice[0]} is given twice")
    with ExitStack() as held:
        for folder in folders:
            read_manifest(folder)
            held.enter_context(lock(folder))
        manifests = [read_manifest(folder) for folder in folders]
        _check_parts(folders, manifests)
        registry, first = Registry(tuple(map(Path, include))), manifests[0]
        opened = score_again.opened_for_run(registry, first, Path(data) if data else None)
        with whole_folder(Path(out)) as folder:
            whole = _whole(first, manifests)
            _write(folder, whole, folders, manifests, opened)
            counted(folder, opened, name=resolved(out).name)
            (folder / ".lock").unlink(missing_ok=True)
    return load_run(Path(out))


def _check_parts(folders: Sequence[Path], manifests: Sequence[Manifest]) -> None:
    if not folders:
        raise UsageError("give the folders of the parts: er-bench merge RUN.. --out DIR")
    seen: dict[int, Path] = {}
    for folder, manifest in zip(folders, manifests, strict=True):
        shard, first = manifest.shard, manifests[0].shard
        if shard is None:
            raise StoreError(f"{folder} is a whole run, no part of one (er-bench run --shard I/N)")
        assert first is not None
        if shard.of != first.of:
            raise UsageError(
                f"{folder} is part {shard.index} of {shard.of}, {folders[0]} of {first.of}"
            )
        if differences := run_differences(manifests[0], manifest):
            told = "\n  ".join(differences)
            raise UsageError(f"{folder} is a part of another run than {folders[0]}:\n  {told}")
        if shard.index in seen:
            raise UsageError(f"{folder} and {seen[shard.index]} are the same part, {shard.index}")
        seen[shard.index] = folder
    of = len(seen) if manifests[0].shard is None else manifests[0].shard.of
    if lacking := sorted(set(range(1, of + 1)) - seen.keys()):
        named = ", ".join(f"{k}/{of}" for k in lacking[:10]) + (" .." if lacking[10:] else "")
        raise UsageError(
            f"{len(lacking)} of {of} parts are missing: {named}; run them with --shard "
            f"{lacking[0]}/{of}, or give their folders"
        )


def _whole(first: Manifest, manifests: Sequence[Manifest]) -> Manifest:
    """The manifest of the whole run: that of the first part, with all samples."""
    tasks = {
        label: plan.model_copy(update={"n_total": sum(m.tasks[label].n_total for m in manifests)})
        for label, plan in first.tasks.items()
    }
    return first.model_copy(update={"tasks": tasks, "shard": None})


def _write(
    folder: Path,
    whole: Manifest,
    parts: Sequence[Path],
    manifests: Sequence[Manifest],
    opened: Sequence[Opened],
) -> None:
    with RunStore(folder, whole, resume=False) as store:
        taken: set[Key] = set()
        for part, manifest in zip(parts, manifests, strict=True):
            has_place = place_of(
                opened, whole.identity.repeats, whole.options.limit, manifest.shard
            )
            for record in read_records(part):
                if record.key in taken or not has_place(record.key):
                    raise stray(part, record.key)
                taken.add(record.key)
                store.append(record)
    for name in (PROMPTS, TEXTS):
        _lines_once(folder / name, [part / name for part in parts])
    if (parts[0] / MEDIA).exists():
        shutil.copyfile(parts[0] / MEDIA, folder / MEDIA)
    for part in parts:
        if (part / "frames").is_dir():
            shutil.copytree(part / "frames", folder / "frames", dirs_exist_ok=True)


def _lines_once(out: Path, files: Sequence[Path]) -> None:
    """The lines of all files, each once; none, if there is none."""
    lines: dict[str, None] = {}
    for file in files:
        if file.exists():
            lines |= dict.fromkeys(file.read_text(encoding="utf-8").splitlines())
    if lines:
        out.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
