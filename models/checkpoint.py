"""The folder of a checkpoint, whatever its family: found or fetched, its configuration read."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os.path import exists, isdir
from pathlib import Path
from typing import Any

from er_bench.core.errors import ConfigError, ErBenchError, MissingExtraError

CONFIG = "config.json"
Config = Mapping[str, Any]
"""What a configuration file holds; each field is checked where it is used."""
_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]
"""Files of a hub repository that are fetched: data only, never code."""

_LFS = b"version https://git-lfs.github.com/spec/"


def check_packages() -> None:
    """Check that checkpoints can be run at all.

    Raises MissingExtraError without torch and transformers, and ConfigError when the installed
    torchvision belongs to another torch: transformers then fails in obscure places.
    """
    for name in ("torch", "transformers", "accelerate"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError("running a checkpoint", "hf", f"no module named {name!r}")
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        raise ConfigError(
            f"torchvision is installed but broken ({one_line(error)}): it was built for another "
            "torch. InternVL and Vlaser do not need it: pip uninstall torchvision. Others do: "
            "install the build for this torch"
        ) from error


def quiet() -> None:
    """Keep transformers' progress bars off everything but a terminal."""
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def snapshot(checkpoint: str, revision: str | None = None) -> Path:
    """The folder of a checkpoint: itself, or the hub repository's local copy.

    Raises ConfigError when there is neither such a folder nor such a repository.
    """
    try:
        folder = Path(checkpoint).expanduser()
        if isdir(folder):
            return folder
        if exists(folder):
            raise ConfigError(f"{folder} is a file; name the folder of the checkpoint")
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"cannot look for {checkpoint!r}: {one_line(error)}") from error
    if checkpoint.count("/") != 1 or checkpoint.startswith((".", "/", "~")):
        raise ConfigError(f"there is no folder {checkpoint!r}, and it is no hub id (owner/name)")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(checkpoint, revision=revision, allow_patterns=_PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ConfigError(f"cannot get {checkpoint} from the hub: {one_line(error)}") from error


def read_config(folder: Path) -> Config:
    """The folder's `config.json`. Raises ConfigError."""
    return read_object(folder / CONFIG)


def read_object(file: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises ConfigError, also for half a surrogate pair."""
    check_fetched(file)
    try:
        text = file.read_text(encoding="utf-8")
        found = json.loads(text)
        if "\\ud" in text.lower():
            json.dumps(found, ensure_ascii=False).encode()
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: cannot read it: {one_line(error)}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file}: not an object")
    return found


def check_fetched(file: Path) -> None:
    """Raise ConfigError for a Git LFS pointer, which stands where the file itself was not fetched.

    A file that cannot be read is left to its reader.
    """
    try:
        with file.open("rb") as opened:
            start = opened.read(len(_LFS))
    except OSError:
        return
    if start == _LFS:
        raise ConfigError(
            f"{file}: a Git LFS pointer, not the file itself; fetch it with: git lfs pull"
        )


@contextmanager
def opening(folder: Path, what: str) -> Iterator[None]:
    """Raise ConfigError in a line for whatever transformers makes of a folder's foreign files.

    It has no error of its own for them: a wrong value surfaces wherever it is used first.
    """
    for file in sorted(file for pattern in _PATTERNS for file in folder.glob(pattern)):
        check_fetched(file)
    try:
        yield
    except ErBenchError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{folder}: cannot open the {what}: {type(error).__name__}: {one_line(error)}"
        ) from error


def one_line(error: BaseException) -> str:
    """What an error of another library says, in one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:297]}..."
