"""What a training run of every kind does around its steps: packages, parts, room, final weights."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from er_bench.core.errors import ConfigError, ErBenchError, MissingExtraError, StoreError
from er_bench.data.files import whole_folder
from er_bench.train.family import Codec, Trainable
from er_bench.train.methods.checkpoints import checkpoints
from er_bench.train.recipe import Training

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from er_bench.train.methods.sound_trainer import SoundTrainer

RANK_TIMEOUT = timedelta(hours=6)
"""How long ranks wait for one that scans millions of records or evaluates."""
FINAL = "final"
"""The folder of the trained model in the output."""
SPARE_BYTES = 64 * 2**10
"""Less than this is no room."""


def check_packages(recipe: Training, more: Mapping[str, tuple[bool, str, str]]) -> None:
    """Raise MissingExtraError or ConfigError when a package that a recipe needs is not there.

    `more` names packages with: whether it is wanted, the setting that wants it, and the value of
    that setting that does without.
    """
    for name in ("torch", "transformers", "accelerate"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError("training", "train", f"no module named {name!r}")
    needed = {
        **more,
        "flash_attn": (recipe.attention == "flash_attention_2", "attention", "sdpa"),
        "tensorboard": ("tensorboard" in recipe.report_to, "report_to", "[]"),
        "wandb": ("wandb" in recipe.report_to, "report_to", "[]"),
    }
    for package, (wanted, setting, instead) in needed.items():
        if wanted and importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"the recipe's {setting} needs a package that is not installed: "
                f"pip install {package.replace('_', '-')}, or --set {setting}={instead}"
            )


def has_gpu() -> bool:
    """Whether torch sees a GPU."""
    import torch

    return torch.cuda.is_available()


def checkpoint_activations(model: PreTrainedModel) -> None:
    """Compute activations again in the backward pass."""
    # Renamed in transformers 5.23 or shortly before; the old name warns there.
    enable = getattr(model, "activation_checkpointing_enable", None)
    (enable or model.gradient_checkpointing_enable)({"use_reentrant": False})


def freeze(model: PreTrainedModel, family: Trainable, parts: Collection[str]) -> bool:
    """Let exactly these parts learn; whether anything does."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(family.part(name) in parts)
    model.train()
    return any(p.requires_grad for p in model.parameters())


@contextmanager
def told_when_full(output: Path) -> Iterator[None]:
    """Raise StoreError for whatever a full file system of `output` has let fail."""
    try:
        yield
    except Exception as error:  # torch and safetensors have errors of their own for it
        if isinstance(error, ErBenchError) or shutil.disk_usage(output).free > SPARE_BYTES:
            raise
        last, _ = checkpoints(output)
        start = "the first step" if last is None else last.name
        raise StoreError(
            f"the file system of {output} is full; make room, then --resume goes on from {start}"
        ) from error


def save_final(recipe: Training, family: Trainable, codec: Codec, trainer: SoundTrainer) -> Path:
    """Write the trained model, in the recipe's precision; returns its folder."""
    import torch

    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    out = recipe.output / FINAL
    if trainer.is_world_process_zero():
        dtype = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
        model = trainer.accelerator.unwrap_model(trainer.model)
        if hasattr(model, "merge_and_unload"):  # an adapter: its weights go into the model's
            model = model.merge_and_unload()
            state = model.state_dict()
        # Tied weights share their memory, and must do so after the cast.
        cast = {tensor.data_ptr(): tensor.to(dtype) for tensor in state.values()}
        state = {name: cast[tensor.data_ptr()] for name, tensor in state.items()}
        shutil.rmtree(out, ignore_errors=True)  # of a run that ended and was gone on with
        with whole_folder(out) as partial:
            family.save(model, state, codec, partial, max_tiles=recipe.max_tiles)
    return out
