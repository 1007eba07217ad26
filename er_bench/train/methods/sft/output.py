"""The output folder of a run: what it holds, and how two runs are kept apart in it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from er_bench.core.errors import ConfigError
from er_bench.train.data.mixture import Mixture
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


def last_checkpoint(output: Path) -> Path | None:
    """The newest complete checkpoint of a run: the state file is written last."""
    found = [
        folder
        for folder in output.glob("checkpoint-*")
        if folder.name.removeprefix("checkpoint-").isdigit()
        and (folder / "trainer_state.json").is_file()
    ]
    return max(found, key=lambda folder: int(folder.name.split("-")[1]), default=None)


def n_skipped(file: Path) -> int:
    """How many samples were left out; a restart lists those that it meets again once more."""
    if not file.is_file():
        return 0
    lines = file.read_text(encoding="utf-8").splitlines()
    return len({json.loads(line)["place"] for line in lines})


def check_output(recipe: Recipe, checkpoint: Path | None, *, resume: bool) -> None:
    """Keep two runs from meeting in one folder. Raises ConfigError."""
    if not resume:
        if checkpoint is not None:
            raise ConfigError(
                f"{recipe.output} holds a run ({checkpoint.name}); go on with --resume, "
                "or choose another output"
            )
        return
    file = recipe.output / RECIPE
    if checkpoint is None or not file.is_file():
        return
    old = json.loads(file.read_text(encoding="utf-8"))["recipe"]
    new = recipe.model_dump(mode="json")
    changed = [key for key in new if key not in MAY_CHANGE and old.get(key) != new[key]]
    if changed:
        told = "; ".join(f"{key}: {old.get(key)!r} became {new[key]!r}" for key in changed)
        raise ConfigError(f"{recipe.output} cannot be resumed with another recipe: {told}")


def check_mixture(recipe: Recipe, mixture: Mixture) -> None:
    """Raise ConfigError when the mixture is not the one that the run began with."""
    file = recipe.output / RECIPE
    if file.is_file() and json.loads(file.read_text("utf-8"))["mixture"] != fingerprint(mixture):
        raise ConfigError(
            f"{recipe.output} cannot be resumed: the records of {recipe.data} have changed"
        )


def fingerprint(mixture: Mixture) -> str:
    """A digest of which samples a pass holds and how long each is."""
    parts = (mixture.entries.tobytes(), mixture.sizes.tobytes())
    return hashlib.sha256(b"".join(parts)).hexdigest()


def write_settings(recipe: Recipe, mixture: Mixture, *, fresh: bool) -> None:
    """Keep what `check_output` and `check_mixture` compare with."""
    output = recipe.output
    output.mkdir(parents=True, exist_ok=True)
    if fresh:
        (output / SKIPPED).unlink(missing_ok=True)
    kept = {"recipe": recipe.model_dump(mode="json"), "mixture": fingerprint(mixture)}
    text = json.dumps(kept, indent=2, ensure_ascii=False)
    (output / RECIPE).write_text(text + "\n", encoding="utf-8")
