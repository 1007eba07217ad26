"""Data sets and checkpoints from the hub, as local folders."""

from __future__ import annotations

import zipfile
from pathlib import Path

from er_bench.core.card import Dataset
from er_bench.core.errors import DataError, UnavailableError
from er_bench.core.limits import check_unpacked
from er_bench.data.archives import DAMAGED
from er_bench.data.files import writing
from er_bench.data.rows import is_litter


def snapshot(dataset: Dataset) -> tuple[Path, str]:
    """Fetch a data set at its pinned revision, original bytes, archives unpacked beside them.

    Returns the folder and the commit that it holds.

    Honours HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE. Raises UnavailableError when it
    cannot be fetched, DataError for an archive that cannot be used.
    """
    from huggingface_hub import snapshot_download

    assert dataset.id is not None
    try:
        folder = Path(
            snapshot_download(
                dataset.id,
                repo_type="dataset",
                revision=dataset.revision,
                allow_patterns=dataset.files or None,
            )
        )
    except (OSError, ValueError) as error:
        raise UnavailableError(
            f"the data set {dataset.id!r} cannot be fetched from the hub: {error}; "
            "give a local copy with --data DIR, or use --split mini"
        ) from error
    return unpacked(folder), folder.name


def unpacked(folder: Path) -> Path:
    """A folder whose zip archives are unpacked, once, beside the snapshot.

    Raises DataError for an archive, StoreError where it cannot be unpacked to.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    files = [p for p in files if not is_litter(str(p.relative_to(folder)))]
    archives = [p for p in files if p.suffix == ".zip"]
    if not archives:
        return folder
    target = folder.parent / f"{folder.name}-unpacked"
    if not (target / ".complete").exists():
        with writing(target):
            target.mkdir(exist_ok=True)
            for path in files:
                if path.suffix != ".zip":
                    link = target / path.relative_to(folder)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    if not link.exists():
                        link.symlink_to(path.resolve())
        for archive in archives:
            _unpack(archive, target)
        (target / ".complete").touch()
    return target


def _unpack(archive: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = [info for info in opened.infolist() if not is_litter(info.filename)]
            check_unpacked(archive.stat().st_size, sum(info.file_size for info in wanted))
            for info in wanted:
                name = info.filename
                if not (target / name).resolve().is_relative_to(target.resolve()):
                    raise DataError(f"the archive holds a path outside it: {name!r}", file=archive)
            with writing(target):
                for info in wanted:
                    opened.extract(info, target)
    except DAMAGED as error:
        raise DataError(f"not a readable archive: {error}", file=archive) from error
