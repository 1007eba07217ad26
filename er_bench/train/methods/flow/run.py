"""From a recipe to a trained policy."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console

from er_bench.core.errors import ConfigError
from er_bench.data.files import whole_folder, writing
from er_bench.data.robot_episodes.open import open_robot_data
from er_bench.data.robot_episodes.statistics import read_statistics
from er_bench.train.data.batches import Batches, plan_batches
from er_bench.train.data.robot_steps import STATE, RobotSteps, is_told, read_steps
from er_bench.train.methods import running
from er_bench.train.methods.checkpoints import checkpoints
from er_bench.train.methods.flow.recipe import FlowRecipe
from er_bench.train.methods.flow.samples import FlowBatches, Times
from er_bench.train.methods.output import check_content, check_output, write_settings
from er_bench.train.methods.running import FINAL, has_gpu, told_when_full
from er_bench.train.policy_family import (
    PolicyCodec,
    Start,
    TrainablePolicy,
    Vectors,
    Wanted,
    trainable_policy,
)

if TYPE_CHECKING:
    from torch import nn

    from er_bench.train.methods.flow.trainer import FlowTrainer


@dataclass(frozen=True)
class Run:
    """Everything of a run that is decided before a weight is loaded."""

    recipe: FlowRecipe
    family: TrainablePolicy
    start: Start
    wanted: Wanted
    steps: RobotSteps
    codec: PolicyCodec
    batches: Batches

    def data(self) -> FlowBatches:
        """The micro batches, in order."""
        times = Times.of(self.recipe, self.wanted.sigma_min)
        return FlowBatches(self.batches, self.steps, self.codec, times, self.recipe.seed)

    @property
    def trained_parts(self) -> set[str]:
        """The parts that learn; without a camera, vision and projector cannot."""
        recipe, sees = self.recipe, self.wanted.camera is not None
        parts = {
            "expert": recipe.train_expert,
            "vision": recipe.train_vision and sees,
            "projector": recipe.train_projector and sees,
            "language": recipe.train_language,
        }
        return {name for name, learns in parts.items() if learns}


def prepare(recipe: FlowRecipe, console: Console) -> Run:
    """Read the episodes and plan every step. Raises ConfigError, DataError."""
    if recipe.eval_tasks:
        from er_bench.train.evaluation import check_selection

        check_selection(recipe)
    family = trainable_policy(recipe.family)
    start = Start(family.folder(recipe.model, recipe.revision), recipe.policy)
    wanted = family.wanted(start)
    data = open_robot_data(recipe.data, spaces=recipe.spaces, rate_hz=recipe.rate_hz)
    with console.status("reading the episodes") as status:
        looked = 0

        def advance(n: int) -> None:
            nonlocal looked
            looked += n
            status.update(f"reading the episodes: {looked:,} of {len(data):,}")

        steps = read_steps(
            data,
            chunk=wanted.chunk,
            camera=wanted.camera,
            state_source=wanted.state_source,
            skip_unlabelled=recipe.skip_unlabelled,
            advance=advance,
        )
    _check_told(recipe, wanted, steps)
    codec = family.codec(start, _vectors(recipe, wanted, steps))
    return Run(recipe, family, start, wanted, steps, codec, _planned(recipe, steps, codec))


def _check_told(recipe: FlowRecipe, wanted: Wanted, steps: RobotSteps) -> None:
    """Raise ConfigError where nobody says what a policy's vectors are.

    A simulator compares them with its own, but for a state that is another array of its.
    """
    told = recipe.policy or {}
    named = [("action", "action", steps.action_space)]
    if wanted.state_source == STATE:
        named.append(("state", "observation.state", steps.state_space))
    for what, feature, space in named:
        if not is_told(space) and f"{what}_space" not in told:
            raise ConfigError(
                f"{recipe.data} does not say the units and the frame of its {what}: tell names, "
                f"units and frame as spaces: {{{feature}: ..}}"
            )


def _vectors(recipe: FlowRecipe, wanted: Wanted, steps: RobotSteps) -> Vectors:
    """With the recipe's statistics, else the policy's own, else those of the episodes."""
    statistics = wanted.statistics
    if recipe.statistics is not None:
        statistics = read_statistics(recipe.statistics)
    return Vectors(steps.action_space, steps.state_space, statistics or steps.statistics())


def _planned(recipe: FlowRecipe, steps: RobotSteps, codec: PolicyCodec) -> Batches:
    import numpy as np

    costs = [codec.tokens(instruction) for instruction in steps.instructions]
    lengths = np.repeat(np.array(costs, np.int32), np.diff(steps.starts))
    return plan_batches(
        lengths,
        batching=recipe.batching,
        sequence_length=int(lengths.max()),
        global_batch_size=recipe.global_batch_size,
        micro_batch_size=recipe.micro_batch_size,
        epochs=recipe.epochs,
        max_steps=recipe.max_steps,
        seed=recipe.seed,
    )


def train(recipe: FlowRecipe, *, resume: bool, console: Console) -> Path:
    """Train and write the final policy; returns its folder.

    With `resume` the newest checkpoint of `output` is gone on from, to the bit as if it had
    never stopped. Raises ConfigError, DataError, StoreError.
    """
    from accelerate import PartialState

    running.check_packages(
        recipe, {"bitsandbytes": (recipe.optimizer == "adamw8bit", "optimizer", "adamw")}
    )
    with writing(recipe.output):
        recipe.output.mkdir(parents=True, exist_ok=True)
        checkpoint, broken = checkpoints(recipe.output)
    for folder, why in broken.items():
        console.print(f"{folder} {why}; it is not gone on from")
    check_output(recipe, checkpoint, broken, resume=resume)
    state = PartialState(cpu=not has_gpu(), timeout=running.RANK_TIMEOUT)
    run = prepare(recipe, console if state.is_main_process else Console(quiet=True))
    if checkpoint is not None:
        told = f"the episodes of {recipe.data}"
        check_content(recipe, "episodes", run.steps.fingerprint(), told)
    trainer = build_trainer(run, console)
    if trainer.is_world_process_zero():
        write_settings(recipe, episodes=run.steps.fingerprint())
        if resume and checkpoint is None:
            console.print("nothing to resume; starting from the first step")
    with told_when_full(recipe.output):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        final = _save_final(run, trainer, console)
    # A thread of gloo that lets go of the last barrier while Python ends aborts the process;
    # this waits for it.
    trainer.accelerator.state.destroy_process_group()
    return final


def build_trainer(run: Run, console: Console) -> FlowTrainer:
    """The model, its frozen parts and the Trainer. Raises ConfigError."""
    import torch
    from accelerate import PartialState
    from transformers.utils import logging

    from er_bench.train.evaluation import InTraining
    from er_bench.train.methods.flow.trainer import FlowTrainer
    from er_bench.train.methods.sft.progress import Progress

    recipe = run.recipe
    # Readers are forked; a tokenizer's own threads would not survive that.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    ranks = PartialState()
    if recipe.sharding == "fsdp2":
        if ranks.num_processes == 1 or ranks.device.type == "cpu":
            raise ConfigError("sharding fsdp2 needs several GPUs; --set sharding=none")
        recipe = recipe.model_copy(
            update={"wrap_classes": recipe.wrap_classes or run.family.wrap_classes}
        )
    torch.manual_seed(recipe.seed)
    model = run.family.load(run.start, run.codec)
    freeze(model, run)
    if recipe.gradient_checkpointing and recipe.sharding != "fsdp2":
        running.checkpoint_activations(cast(Any, model))
    trainer = FlowTrainer(model, recipe, run.family, run.data(), ranks.num_processes)
    trainer.add_callback(Progress(run.batches.step_tokens, console))
    if recipe.eval_tasks:
        average = {} if trainer.average is None else {"weights": trainer.average.in_place}
        evaluation = InTraining(
            recipe,
            lambda trained, settings: run.family.live(trained, run.codec, settings),
            trainer,
            console,
            **average,
        )
        trainer.evaluation = evaluation
        trainer.add_callback(evaluation)
    return trainer


def freeze(model: nn.Module, run: Run) -> None:
    """Let exactly the recipe's parts learn, of them what actions depend on.

    Raises ConfigError when nothing learns.
    """
    parts, learns = run.trained_parts, False
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(run.family.part(model, name) in parts)
        learns |= parameter.requires_grad
    if not learns:
        raise ConfigError("no part of the policy learns: it has no camera")
    model.train()


def _save_final(run: Run, trainer: FlowTrainer, console: Console) -> Path:
    """Write the policy, or its average, in float32."""
    from contextlib import nullcontext

    out = run.recipe.output / FINAL
    with nullcontext() if trainer.average is None else trainer.average.in_place():
        state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
        if trainer.is_world_process_zero():
            model = trainer.accelerator.unwrap_model(trainer.model)
            shutil.rmtree(out, ignore_errors=True)  # of a run that ended and was gone on with
            with whole_folder(out) as partial:
                run.family.save(model, state, run.codec, partial)
            console.print(f"saved {out}")
    trainer.accelerator.wait_for_everyone()
    return out
