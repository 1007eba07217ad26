"""The output folder of a run: what it holds, and how two runs are kept apart in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from er_bench.core.errors import ConfigError, DataError, StoreError
from er_bench.data.files import write_json, writing
from er_bench.data.text_files import read_json
from er_bench.train.data.mixture import Mixture
from er_bench.train.methods.sft.checkpoints import STATE
from er_bench.train.recipe import Recipe

RECIPE, SKIPPED, SCANS, FINAL = "recipe.json", "skipped.jsonl", "scan", "final"
MAY_CHANGE = {
    "output",
    "micro_batch_size",
    "workers",
    "log_every",
    "save_every",
    "keep_checkpoints",
    "report_to",
} | {name for name in Recipe.model_fields if name.startswith("eval_")}
"""Settings that a resumed run may change: none of them changes a step but by rounding."""


STEERS = {"learning_rate"}
"""Settings that a resumed run may change on purpose: they change the steps that follow."""


def n_skipped(file: Path) -> int:
    """How many samples were left out; a restart lists those that it meets again once more."""
    if not file.is_file():
        return 0
    places = set()
    with file.open("rb") as lines:
        for line in lines:
            # A line that a kill has cut off is of a sample that the restart met again.
            with suppress(ValueError):
                places.add(json.loads(line)["place"])
    return len(places)


def check_output(
    recipe: Recipe, checkpoint: Path | None, broken: Mapping[Path, str], *, resume: bool
) -> None:
    """Keep two runs from meeting in one folder. Raises ConfigError, StoreError."""
    apart = [folder for folder, why in broken.items() if STATE not in why]
    if not resume:
        if held := [*([] if checkpoint is None else [checkpoint]), *apart]:
            raise ConfigError(
                f"{recipe.output} holds a run ({held[0].name}); go on with --resume, "
                "or choose another output"
            )
        return
    if checkpoint is None:
        if apart:
            raise ConfigError(
                f"there is no whole checkpoint to go on from: {apart[0]} {broken[apart[0]]}; put "
                "it back, or begin again in another output"
            )
        return
    old, new = _settings(recipe.output)["recipe"], recipe.model_dump(mode="json")
    kept = set(new) - MAY_CHANGE - STEERS
    changed = [key for key in new if key in kept and old.get(key) != new[key]]
    if changed:
        told = "; ".join(f"{key}: {old.get(key)!r} became {new[key]!r}" for key in changed)
        raise ConfigError(f"{recipe.output} cannot be resumed with another recipe: {told}")


def _settings(output: Path) -> dict[str, Any]:
    """What `write_settings` has kept. Raises StoreError."""
    file = output / RECIPE
    try:
        kept = read_json(file)
    except DataError as error:
        raise StoreError(f"{output} cannot be resumed without its settings: {error}") from error
    if not isinstance(kept, dict) or not isinstance(kept.get("recipe"), dict):
        raise StoreError(f"{output} cannot be resumed: {file} holds no settings of a run")
    return kept


def check_mixture(recipe: Recipe, mixture: Mixture) -> None:
    """Raise ConfigError when the mixture is not the one that the run began with."""
    if _settings(recipe.output).get("mixture") != fingerprint(mixture):
        raise ConfigError(
            f"{recipe.output} cannot be resumed: the records of {recipe.data} have changed"
        )


def fingerprint(mixture: Mixture) -> str:
    """A digest of which samples a pass holds, what they say and how long each is.

    Pictures and videos are told by their names alone.
    """
    said = [(source.digest, source.degrade) for source in mixture.sources]
    parts = (json.dumps(said).encode(), mixture.entries.tobytes(), mixture.sizes.tobytes())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def write_settings(recipe: Recipe, mixture: Mixture, *, fresh: bool) -> None:
    """Keep what `check_output` and `check_mixture` compare with. Raises StoreError."""
    output = recipe.output
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
        if fresh:
            (output / SKIPPED).unlink(missing_ok=True)
    kept = {"recipe": recipe.model_dump(mode="json"), "mixture": fingerprint(mixture)}
    write_json(output / RECIPE, kept)
