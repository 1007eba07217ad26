"""A recipe: every setting of a training run, from a preset, a YAML file and `--set`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from er_bench.core.errors import ConfigError, UsageError
from er_bench.core.key_values import typed
from er_bench.core.yaml_files import faults, read_yaml
from er_bench.train.family import trainable

Fraction = Annotated[float, Field(ge=0, le=1)]


class Training(BaseModel):
    """Settings that every way of training has. Later sources win: preset, file, command line."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    family: str
    """Model family: knows tokens, pictures and weights."""
    preset: str | None = None
    """Named settings that this recipe starts from."""
    model: str
    """Checkpoint to start from: a folder or a hub id."""
    revision: str | None = None
    """Revision of a hub id; null is the newest."""
    output: Path
    """Folder for checkpoints, logs and the final model."""

    max_tiles: int = Field(12, gt=0, le=1024)
    """Most tiles of one image, thumbnail not counted; n images share it: max(1, max_tiles // n)."""
    system_message: str | None = None
    """System message of conversations that bring none. Null: the family's own."""

    train_vision: bool = True
    """Whether the vision tower learns."""
    train_projector: bool = True
    """Whether the projector learns."""
    train_language: bool = True
    """Whether the language model learns."""

    micro_batch_size: int = Field(1, gt=0)
    """Rows of one forward pass on one device; accumulation follows from it."""

    learning_rate: float = Field(2e-5, gt=0)
    """Peak learning rate of AdamW."""
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    """Learning rate after the warm-up; cosine and linear end at 0."""
    warmup_ratio: Fraction = 0.03
    """Share of the steps over which the learning rate rises from 0."""
    weight_decay: float = Field(0.05, ge=0)
    """Decoupled weight decay; biases and norms are spared."""
    adam_betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """Decay rates of AdamW's two moments."""
    adam_epsilon: float = Field(1e-8, gt=0)
    """AdamW's epsilon."""
    max_grad_norm: float = Field(1.0, ge=0)
    """Gradient norm above which gradients are scaled down; 0 never."""

    precision: Literal["bf16", "fp32"] = "bf16"
    """Compute type. Weights and optimizer states are float32 under both."""
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    """Attention kernel."""
    gradient_checkpointing: bool = True
    """Compute activations again in the backward pass instead of keeping them."""

    seed: int = 42
    """Seed of the order of samples and of whatever is drawn."""
    log_every: int = Field(10, gt=0)
    """Steps between progress lines."""
    save_every: int = Field(200, gt=0)
    """Steps between checkpoints."""
    keep_checkpoints: int = Field(1, gt=0)
    """Checkpoints kept; older ones are deleted."""
    report_to: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """Where figures go beside the progress line."""

    eval_tasks: tuple[str, ...] = ()
    """Tasks to run on the weights while they train."""
    eval_every: int = Field(500, gt=0)
    """Steps between evaluations."""
    eval_split: Literal["official", "mini"] = "mini"
    """Split of the evaluation tasks."""
    eval_data: Path | None = None
    """Folder of their rows, as `er-bench run --data` takes it; wins over the split."""
    eval_limit: int | None = Field(None, gt=0)
    """Samples of each evaluation task. Null: all."""
    eval_include: tuple[Path, ...] = ()
    """Folders with evaluation tasks of your own."""
    eval_dialect: str = "benchmark"
    """How the model writes points and boxes in evaluation tasks."""
    eval_model_args: dict[str, JsonValue] = {}
    """Settings of the model in evaluation, as `er-bench run --model-args` takes them."""

    @model_validator(mode="after")
    def _something_learns(self) -> Self:
        if not self._learns():
            raise ValueError("no part of the model is to learn")
        return self

    def _learns(self) -> bool:
        return self.train_vision or self.train_projector or self.train_language

    @classmethod
    def presets(cls, family: str) -> Mapping[str, Mapping[str, object]]:
        """Named settings; `differs` says in words where one departs. Raises ConfigError."""
        return trainable(family).presets


class PlannedTraining(Training):
    """Settings of training whose every step is planned from the data beforehand."""

    epochs: float | None = Field(1.0, gt=0)
    """Passes over the data. Null: as many as `max_steps` needs."""
    max_steps: int | None = Field(None, gt=0)
    """Optimizer steps at most; the run ends with `epochs` or `max_steps`, whichever is first."""
    global_batch_size: int = Field(128, gt=0)
    """Rows of one optimizer step over all ranks: samples, or packs when `batching` is packed."""

    sharding: Literal["none", "fsdp2", "zero1", "zero2", "zero3"] = "none"
    """How ranks share the model: DDP, FSDP2, or a stage of DeepSpeed ZeRO."""
    wrap_classes: tuple[str, ...] = ()
    """Layer classes that FSDP2 shards one by one. Empty: those that the model names."""

    workers: int = Field(4, ge=0, le=256)
    """Processes that read data, for each rank; also the processes of the scan."""

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        if self.epochs is None and self.max_steps is None:
            raise ValueError("one of epochs and max_steps must be set")
        if self.global_batch_size % self.micro_batch_size:
            raise ValueError("global_batch_size must be a multiple of micro_batch_size")
        if self.eval_tasks and self.sharding in ("fsdp2", "zero3"):
            raise ValueError(f"evaluation while training needs whole weights, not {self.sharding}")
        return self

    def accumulation(self, world_size: int) -> int:
        """Micro batches that each rank adds up for a step. Raises ConfigError."""
        rows = self.micro_batch_size * world_size
        if self.global_batch_size % rows:
            raise ConfigError(
                f"global_batch_size {self.global_batch_size} is not a multiple of "
                f"micro_batch_size {self.micro_batch_size} x {world_size} ranks"
            )
        return self.global_batch_size // rows


class Recipe(PlannedTraining):
    """Settings of supervised fine-tuning."""

    data: Path
    """Meta JSON that lists the data sets of the mixture."""

    sequence_length: int = Field(16_384, gt=0)
    """Longest sample, and the length of a packed row, in tokens."""
    video_frames: tuple[int, int] = (8, 32)
    """Fewest and most frames taken from a video; the count is drawn for each record."""

    batching: Literal["shuffled", "grouped", "packed"] = "grouped"
    """One sample a row in random order; of similar length together; or several samples a row."""
    loss_reduction: Literal["token", "sample", "square"] = "token"
    """Weight of a token in a sample with n supervised tokens: 1, 1/n or 1/sqrt(n)."""

    skip_bad: bool = False
    """Leave bad records out, counted and listed, instead of ending the run."""

    @model_validator(mode="after")
    def _rising_frames(self) -> Self:
        if not 1 <= self.video_frames[0] <= self.video_frames[1]:
            raise ValueError("video_frames must be a rising pair of counts from 1 on")
        return self


R = TypeVar("R", bound=Training)


def load_recipe(file: Path, sets: Sequence[str] = ()) -> Recipe:
    """The recipe of a YAML file with `key=value` settings over it. Raises ConfigError."""
    return load(Recipe, file, sets)


def build_recipe(fields: Mapping[str, object], source: str) -> Recipe:
    """The recipe with these settings over its preset's. Raises ConfigError."""
    return build(Recipe, fields, source)


def load(kind: type[R], file: Path, sets: Sequence[str] = ()) -> R:
    """Settings of a kind from a YAML file, `key=value` over it. Raises ConfigError."""
    return build(kind, read_fields(file, sets), str(file))


def read_fields(file: Path, sets: Sequence[str]) -> dict[str, object]:
    """What a recipe's YAML file says, with `key=value` over it. Raises ConfigError, UsageError."""
    fields = read_yaml(file, "recipe")
    if not isinstance(fields, dict):
        raise ConfigError(f"the recipe {file} is not a mapping of settings")
    return {**fields, **dict(_setting(text) for text in sets)}


def build(kind: type[R], fields: Mapping[str, object], source: str) -> R:
    """Settings of a kind over their preset's. Raises ConfigError."""
    settings = {**_preset(kind, fields, source), **fields}
    known = kind.model_fields
    if unknown := sorted(settings.keys() - known.keys()):
        near = get_close_matches(unknown[0], known, 1)
        told = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise ConfigError(f"recipe {source}: there is no setting {unknown[0]!r:.80}; {told}")
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(f"recipe {source}: {faults(error)}") from error


def _preset(kind: type[R], fields: Mapping[str, object], source: str) -> dict[str, object]:
    name = fields.get("preset")
    if name is None:
        return {}
    presets = kind.presets(str(fields.get("family")))
    if not isinstance(name, str) or name not in presets:
        raise ConfigError(
            f"recipe {source}: no preset {name!r:.80}; there are {', '.join(presets)}"
        )
    return {key: value for key, value in presets[name].items() if key != "differs"}


def _setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text!r}: expected key=value")
    return key.strip(), typed(key.strip(), value, "--set")
