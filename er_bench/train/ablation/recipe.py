"""Settings of `er-bench ablate`: the starts, what follows each, and how they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from er_bench.core.errors import ConfigError
from er_bench.core.yaml_files import faults
from er_bench.train.methods.flow.recipe import FlowRecipe
from er_bench.train.recipe import Recipe, build, read_fields

OWN = ("model", "output", "seed")
"""What the ablation itself says in the recipes of its stages; `data` too in that of fine-tuning."""
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Part(_Part):
    """Data sets of a mixture."""

    meta: Path
    """The meta JSON that lists them."""
    sets: list[str] | None = None
    """Which of them. Null: all."""


class Played(_Part):
    """The rows that every policy is played on."""

    tasks: list[str] = Field(min_length=1)
    """As `er-bench run --tasks`."""
    split: str = "official"
    """`official` or `mini`."""
    data: Path | None = None
    """Rows of one's own."""
    limit: int | None = Field(None, gt=0)
    """First rows of each task."""
    include: list[Path] = []
    """Folders with tasks of one's own."""
    model_args: dict[str, JsonValue] = {}
    """Settings of the policy, as `er-bench run --model-args` takes them."""


class Beside(_Part):
    """Published rows to show beside one's own."""

    source: str
    """As `er-bench reported` lists it."""
    column: str
    """The source's column."""
    rows: dict[str, str]
    """Start to the source's model."""


class Ablation(_Part):
    """Settings of the whole experiment."""

    output: Path
    """Folder of all stages; OUTPUT/seed-S/START has fine-tuning, policy and run of one arm."""
    model: str
    """The VLM that every start begins with."""
    starts: dict[Name, list[Part]] = Field(min_length=2)
    """What the VLM is fine-tuned on, by the start's name. An empty list: nothing."""
    baseline: str | None = None
    """The start that others are compared with. Null: the first that is fine-tuned on nothing."""
    sft: dict[str, JsonValue]
    """Settings of fine-tuning, as `er-bench sft` takes them, less model, data, output, seed."""
    policy: dict[str, JsonValue]
    """Settings of the policy's training, as `er-bench vla train`, less model, output, seed."""
    evaluation: Played
    """What every policy is played on."""
    seeds: list[int] = Field([0, 1, 2], min_length=1)
    """One arm of each start for each: the seed of fine-tuning, of the policy, and of its noise."""
    beside: Beside | None = None
    """Published rows to show beside."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.baseline is not None and self.baseline not in self.starts:
            raise ValueError(f"baseline {self.baseline!r} is none of the starts")
        if self.baseline is None and all(self.starts.values()):
            raise ValueError("no start is fine-tuned on nothing; name a baseline")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: one is told twice")
        for name, fields, own in (
            ("sft", self.sft, (*OWN, "data")), ("policy", self.policy, OWN),
        ):  # fmt: skip
            if told := [key for key in own if key in fields]:
                raise ValueError(f"{name}: {told[0]} is the ablation's own to say")
        if self.beside is not None and (odd := set(self.beside.rows) - set(self.starts)):
            raise ValueError(f"beside: there is no start {sorted(odd)[0]!r}")
        return self

    @property
    def compared_with(self) -> str:
        """The baseline's name."""
        return self.baseline or next(name for name, parts in self.starts.items() if not parts)


class Arm:
    """One start with one seed: its folders, and the recipes of its stages."""

    def __init__(self, ablation: Ablation, start: str, seed: int) -> None:
        self.start, self.seed = start, seed
        self._ablation = ablation
        self.folder = ablation.output / f"seed-{seed}" / start

    @property
    def name(self) -> str:
        """As messages name it."""
        return f"{self.start}, seed {self.seed}"

    @property
    def run(self) -> Path:
        """Where its episodes are kept."""
        return self.folder / "run"

    def sft(self, mixture: Path) -> Recipe | None:
        """Fine-tuning; None where the start is the VLM as it is. Raises ConfigError."""
        if not self._ablation.starts[self.start]:
            return None
        own = {"model": self._ablation.model, "data": str(mixture), "seed": self.seed}
        fields = {**self._ablation.sft, **own, "output": str(self.folder / "sft")}
        return build(Recipe, fields, f"sft of {self.name}")

    def policy(self, vlm: Path | None) -> FlowRecipe:
        """The policy's training, beside a fine-tuned VLM or as it is. Raises ConfigError."""
        own = {"model": str(vlm or self._ablation.model), "seed": self.seed}
        fields = {**self._ablation.policy, **own, "output": str(self.folder / "policy")}
        return build(FlowRecipe, fields, f"policy of {self.name}")


def arms(ablation: Ablation) -> list[Arm]:
    """Every arm: all starts of the first seed first."""
    return [Arm(ablation, start, seed) for seed in ablation.seeds for start in ablation.starts]


def load_ablation(file: Path, sets: Sequence[str] = ()) -> Ablation:
    """The settings of a YAML file with `key=value` over them. Raises ConfigError."""
    try:
        return Ablation.model_validate(read_fields(file, sets))
    except ValidationError as error:
        raise ConfigError(f"recipe {file}: {faults(error)}") from error
