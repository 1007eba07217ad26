"""The output folder of a run: what it holds, and how two runs are kept apart in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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


STEERS = {"learning_rate"}
"""Settings that a resumed run may change on purpose: they change the steps that follow."""
CHECKPOINT = {
    "trainer_state.json": ("trainer_state.json",),
    "its weights": ("model*.safetensors", "pytorch_model_fsdp*", "global_step*"),
    "optimizer.pt": ("optimizer.pt", "optimizer.bin", "optimizer_*", "global_step*"),
    "scheduler.pt": ("scheduler.pt",),
    "rng_state.pth": ("rng_state*.pth",),
}
"""What a whole checkpoint holds, and the files that may be it, with and without sharding."""


def checkpoints(output: Path) -> tuple[Path | None, dict[Path, str]]:
    """The newest whole checkpoint of a run, and what newer ones lack."""
    found = [
        folder
        for folder in output.glob("checkpoint-*")
        if folder.name.removeprefix("checkpoint-").isdigit()
    ]
    broken: dict[Path, str] = {}
    for folder in sorted(found, key=lambda folder: int(folder.name.split("-")[1]), reverse=True):
        lacks = [
            name for name, forms in CHECKPOINT.items() if not any(map(any, map(folder.glob, forms)))
        ]
        if not lacks:
            return folder, broken
        broken[folder] = ", ".join(lacks)
    return None, broken


def n_skipped(file: Path) -> int:
    """How many samples were left out; a restart lists those that it meets again once more."""
    if not file.is_file():
        return 0
    with file.open(encoding="utf-8") as lines:
        return len({json.loads(line)["place"] for line in lines})


def check_output(
    recipe: Recipe, checkpoint: Path | None, broken: Mapping[Path, str], *, resume: bool
) -> None:
    """Keep two runs from meeting in one folder. Raises ConfigError."""
    if not resume:
        if checkpoint is not None:
            raise ConfigError(
                f"{recipe.output} holds a run ({checkpoint.name}); go on with --resume, "
                "or choose another output"
            )
        return
    # The Trainer writes the state last: without it a checkpoint was cut off, not taken apart.
    apart = [folder for folder, lacks in broken.items() if "trainer_state.json" not in lacks]
    if checkpoint is None and apart:
        raise ConfigError(
            f"there is no whole checkpoint to go on from: {apart[0]} lacks {broken[apart[0]]}; put "
            "it back, or begin again in another output"
        )
    file = recipe.output / RECIPE
    if checkpoint is None or not file.is_file():
        return
    old = json.loads(file.read_text(encoding="utf-8"))["recipe"]
    new = recipe.model_dump(mode="json")
    kept = set(new) - MAY_CHANGE - STEERS
    changed = [key for key in new if key in kept and old.get(key) != new[key]]
    if changed:
        told = "; ".join(f"{key}: {old.get(key)!r} became {new[key]!r}" for key in changed)
        raise ConfigError(f"{recipe.output} cannot be resumed with another recipe: {told}")


def check_mixture(recipe: Recipe, mixture: Mixture) -> None:
    """Raise ConfigError when the mixture is not the one that the run began with."""
    file = recipe.output / RECIPE
    if not file.is_file():
        return
    then, now = json.loads(file.read_text("utf-8")), digests(mixture)
    before = then.get("sha256", now)  # runs before that was kept do not tell
    changed = sorted(
        name for name in before.keys() | now.keys() if before.get(name) != now.get(name)
    )
    if changed or then["mixture"] != fingerprint(mixture):
        which = f" ({', '.join(changed)})" if changed else ""
        raise ConfigError(
            f"{recipe.output} cannot be resumed: the records of {recipe.data} have changed{which}"
        )


def digests(mixture: Mixture) -> dict[str, str]:
    """SHA-256 of the annotation file of each data set."""
    return {source.name: source.sha256 for source in mixture.sources}


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
    kept = {
        "recipe": recipe.model_dump(mode="json"),
        "mixture": fingerprint(mixture),
        "sha256": digests(mixture),
    }
    text = json.dumps(kept, indent=2, ensure_ascii=False)
    (output / RECIPE).write_text(text + "\n", encoding="utf-8")
