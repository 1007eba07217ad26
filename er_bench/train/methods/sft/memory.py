"""How much memory a run will need on each rank, estimated before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from er_bench.train.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

LAYER_BYTES = 34
"""Bytes a transformer layer keeps for each token and hidden unit in 16 bits, attention scores not
kept (Korthikanti et al. 2022, Reducing Activation Recomputation, equation 2)."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """How many parameters each part has, and which parts learn."""

    of_part: Mapping[str, int]
    trained_parts: frozenset[str]

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.of_part.values())

    @property
    def trained(self) -> int:
        """Parameters that learn."""
        return sum(n for part, n in self.of_part.items() if part in self.trained_parts)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on each rank."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """The sum, without the allocator's waste."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits


@dataclass(frozen=True, slots=True)
class Load:
    """The heaviest micro batch of a run."""

    tokens: int
    supervised: int
    vision_positions: int
    """Positions of its pictures in the vision tower."""


def estimate(
    recipe: Recipe, parameters: Parameters, config: PreTrainedConfig, load: Load, world_size: int
) -> Memory:
    """Memory of one rank. `config` is the model's transformers configuration.

    Weights are float32 with AdamW's two moments; DeepSpeed keeps 16-bit weights and gradients
    beside a float32 copy, which counts as optimizer. Buffers of communication are not counted.
    """
    zero = recipe.sharding.startswith("zero") and recipe.precision == "bf16"
    width = 2 if zero else 4
    share = {"none": 0, "zero1": 1, "zero2": 2, "zero3": 3, "fsdp2": 3}[recipe.sharding]

    def sharded(count: int, from_stage: int) -> int:
        return -(-count // world_size) if share >= from_stage else count

    text, vision = config.get_text_config(), config.vision_config
    scale = 1 if recipe.precision == "bf16" else 2
    kept = _activations(load.tokens, text, recipe.gradient_checkpointing)
    if "vision" in parameters.trained_parts:
        kept += _activations(load.vision_positions, vision, recipe.gradient_checkpointing)
    return Memory(
        weights=sharded(parameters.total * width, 3),
        gradients=sharded(parameters.trained * width, 2),
        optimizer=sharded(parameters.trained * (12 if zero else 8), 1),
        activations=kept * scale,
        logits=load.supervised * text.vocab_size * (2 * scale + 8),
    )


def amount(n_bytes: int) -> str:
    """Bytes in MiB or GiB."""
    gib = n_bytes / 2**30
    return f"{gib:,.1f} GiB" if gib >= 1 else f"{gib * 1024:.1f} MiB"


def _activations(tokens: int, config: PreTrainedConfig, checkpointing: bool) -> int:
    """Bytes in 16 bits: every layer, or with checkpointing each layer's input and one layer."""
    layers, hidden = int(config.num_hidden_layers), int(config.hidden_size)
    kept = 2 * layers + LAYER_BYTES if checkpointing else LAYER_BYTES * layers
    return tokens * hidden * kept
