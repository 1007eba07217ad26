"""Data sets and checkpoints from the hub, as local folders."""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from er_bench.core.card import Dataset
from er_bench.core.errors import DataError, UnavailableError
from er_bench.core.limits import check_unpacked
from er_bench.core.paths import resolved
from er_bench.data.archives import DAMAGED
from er_bench.data.files import writing
from er_bench.data.rows import is_litter

SHOWN = 300
"""How many characters of the hub client's own words a message shows."""
UNPACKED = ".complete"
"""The file that says that all archives of a snapshot are unpacked."""
_NETWORK = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


def snapshot(dataset: Dataset) -> tuple[Path, str]:
    """Fetch a data set at its pinned revision, original bytes, archives unpacked beside them.

    Returns the folder and the commit that it holds. What an earlier call has fetched is kept.

    Honours HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE. Raises UnavailableError when it
    cannot be fetched, DataError for an archive that cannot be used.
    """
    from huggingface_hub import snapshot_download

    assert dataset.id is not None
    with _asking_the_hub(dataset):
        folder = Path(
            snapshot_download(
                dataset.id,
                repo_type="dataset",
                revision=dataset.revision,
                allow_patterns=dataset.files or None,
            )
        )
    return unpacked(folder), folder.name


def fetch_into(dataset: Dataset, folder: Path) -> None:
    """As `snapshot`, into a folder of the user's, archives unpacked there."""
    from huggingface_hub import HfApi, snapshot_download

    assert dataset.id is not None
    with _asking_the_hub(dataset):
        # Asked first: without an answer the client would take whatever the folder holds.
        info = HfApi().dataset_info(dataset.id, revision=dataset.revision)
        snapshot_download(
            dataset.id,
            repo_type="dataset",
            revision=info.sha,
            allow_patterns=dataset.files or None,
            local_dir=folder,
        )
    for name in sorted(file.rfilename for file in info.siblings or ()):
        if name.endswith(".zip") and not is_litter(name) and (folder / name).is_file():
            _unpack(folder / name, folder)


def cached(dataset: Dataset) -> Path | None:
    """What `snapshot` has fetched and unpacked before; None where it has not. Changes nothing.

    Raises UnavailableError where the card's id is none.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    assert dataset.id is not None
    with _asking_the_hub(dataset):
        try:
            folder = Path(
                snapshot_download(
                    dataset.id,
                    repo_type="dataset",
                    revision=dataset.revision,
                    allow_patterns=dataset.files or None,
                    local_files_only=True,
                )
            )
        except LocalEntryNotFoundError:
            return None
    if not any(path.suffix == ".zip" for path in _files(folder)):
        return folder
    target = _unpacked_folder(folder)
    return target if (target / UNPACKED).exists() else None


def cache_folder(dataset: Dataset) -> Path:
    """Where the hub's client keeps what it has fetched of a data set, whole or in part."""
    from huggingface_hub.constants import HF_HUB_CACHE

    assert dataset.id is not None
    return Path(HF_HUB_CACHE) / f"datasets--{dataset.id.replace('/', '--')}"


@contextmanager
def _asking_the_hub(dataset: Dataset) -> Iterator[None]:
    """Raise UnavailableError, one line that says what to do, for what the client may raise."""
    # The root of the client's HTTP library, httpx or its successor: not every error is an OSError.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except (OSError, ValueError, HTTPError) as error:
        raise UnavailableError(
            f"the data set {dataset.id!r} cannot be fetched from the hub: "
            f"{_why(dataset, error)}; or give a local copy with --data DIR, or use --split mini"
        ) from error


def _why(dataset: Dataset, error: Exception) -> str:
    """What is wrong and what to do, from the client's error or the one that it wraps."""
    from huggingface_hub import errors as hub

    cause = error.__cause__ if isinstance(error, hub.LocalEntryNotFoundError) else None
    seen = cause or error
    status = seen.response.status_code if isinstance(seen, hub.HfHubHTTPError) else None
    if isinstance(seen, hub.GatedRepoError) or status == 403:
        return (
            f"it is gated: accept its terms at {dataset.page}, then `hf auth login` or set HF_TOKEN"
        )
    if isinstance(seen, hub.RevisionNotFoundError):
        return f"it has no revision {dataset.revision or 'main'!r}: see {dataset.page}"
    if isinstance(seen, hub.RepositoryNotFoundError) or status == 401:
        return (
            f"it is not there, or not for this login: see {dataset.page}, and if it is there, "
            "`hf auth login` or set HF_TOKEN"
        )
    if isinstance(seen, hub.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set and it is not in the cache: unset HF_HUB_OFFLINE"
    told = " ".join(str(seen).split())[:SHOWN]
    if isinstance(seen, ValueError):
        return told
    if isinstance(seen, OSError) and seen.errno is not None and not _of_network(seen):
        return f"{told}: make room or choose another disk (HF_HOME), then give the command again"
    return f"{told}: look to the network, then give the command again; whole files are kept"


def _of_network(error: OSError) -> bool:
    return isinstance(error, ConnectionError | TimeoutError) or error.errno in _NETWORK


def unpacked(folder: Path) -> Path:
    """A folder whose zip archives are unpacked, once, beside the snapshot.

    Raises DataError for an archive, StoreError where it cannot be unpacked to.
    """
    files = _files(folder)
    archives = [p for p in files if p.suffix == ".zip"]
    if not archives:
        return folder
    target = _unpacked_folder(folder)
    if not (target / UNPACKED).exists():
        with writing(target):
            target.mkdir(exist_ok=True)
            for path in files:
                if path.suffix != ".zip":
                    link = target / path.relative_to(folder)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    if not link.exists():
                        link.symlink_to(resolved(path))
        for archive in archives:
            _unpack(archive, target)
        (target / UNPACKED).touch()
    return target


def _files(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return [p for p in files if not is_litter(str(p.relative_to(folder)))]


def _unpacked_folder(folder: Path) -> Path:
    return folder.parent / f"{folder.name}-unpacked"


def _unpack(archive: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = [info for info in opened.infolist() if not is_litter(info.filename)]
            check_unpacked(archive.stat().st_size, sum(info.file_size for info in wanted))
            for info in wanted:
                name = info.filename
                if not resolved(target / name).is_relative_to(resolved(target)):
                    raise DataError(f"the archive holds a path outside it: {name!r}", file=archive)
            with writing(target):
                for info in wanted:
                    opened.extract(info, target)
    except DAMAGED as error:
        raise DataError(f"not a readable archive: {error}", file=archive) from error
