"""The folder of a checkpoint, whatever its family: found or fetched, its configuration read."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from er_bench.core.errors import ConfigError, MissingExtraError

CONFIG = "config.json"
Config = Mapping[str, Any]
"""What a configuration file holds; each field is checked where it is used."""
_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]
"""Files of a hub repository that are fetched: data only, never code."""


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
            f"torchvision is installed but broken ({error}): it was built for another torch. "
            "er-bench does not need it: pip uninstall torchvision, or install the build that "
            "matches torch"
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
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return folder
    if checkpoint.count("/") != 1 or checkpoint.startswith((".", "/", "~")):
        raise ConfigError(f"there is no folder {checkpoint!r}, and it is no hub id (owner/name)")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(checkpoint, revision=revision, allow_patterns=_PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ConfigError(f"cannot get {checkpoint} from the hub: {error}") from error


def read_config(folder: Path) -> Config:
    """The folder's `config.json`. Raises ConfigError."""
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder / CONFIG}: cannot read it: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{folder / CONFIG}: not an object")
    return found
