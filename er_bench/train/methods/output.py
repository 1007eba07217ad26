"""The output folder of a run: how two runs are kept apart in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from er_bench.core.errors import ConfigError, DataError, StoreError
from er_bench.data.files import write_json, writing
from er_bench.data.text_files import read_json
from er_bench.train.methods.checkpoints import STATE
from er_bench.train.methods.running import FINAL
from er_bench.train.recipe import Training

RECIPE = "recipe.json"
MAY_CHANGE = {
    "output",
    "micro_batch_size",
    "workers",
    "log_every",
    "save_every",
    "keep_checkpoints",
    "keep_rollouts",
    "patience",
    "report_to",
} | {name for name in Training.model_fields if name.startswith("eval_")}
"""Settings that a resumed run may change: none of them changes a step but by rounding."""
STEERS = {"learning_rate"}
"""Settings that a resumed run may change on purpose: they change the steps that follow."""


def check_output(
    recipe: Training, checkpoint: Path | None, broken: Mapping[Path, str], *, resume: bool
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
    _check_same(recipe, STEERS)


def has_ended(recipe: Training) -> bool:
    """Whether the run of a recipe has written its final model.

    Raises ConfigError where `output` holds that of another recipe, StoreError for what is damaged.
    """
    if not (recipe.output / FINAL).is_dir():
        return False
    _check_same(recipe, frozenset())
    return True


def _check_same(recipe: Training, may_steer: Collection[str]) -> None:
    old, new = _settings(recipe.output)["recipe"], recipe.model_dump(mode="json")
    kept = set(new) - MAY_CHANGE - set(may_steer)
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


def check_content(recipe: Training, name: str, fingerprint: str, told: str) -> None:
    """Raise ConfigError when what a run learns from, `told` in words, is not as it began."""
    if _settings(recipe.output).get(name) != fingerprint:
        raise ConfigError(f"{recipe.output} cannot be resumed: {told} have changed")


def write_settings(recipe: Training, **fingerprints: str) -> None:
    """Keep what `check_output` and `check_content` compare with. Raises StoreError."""
    with writing(recipe.output):
        recipe.output.mkdir(parents=True, exist_ok=True)
    kept = {"recipe": recipe.model_dump(mode="json"), **fingerprints}
    write_json(recipe.output / RECIPE, kept)
