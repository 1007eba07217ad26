"""transformers' Trainer with planned micro batches and a loss over the whole step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from er_bench.core.errors import ErBenchError
from er_bench.train.family import Codec
from er_bench.train.methods.sft.checkpoints import loading
from er_bench.train.methods.sft.loss import weighted_loss
from er_bench.train.recipe import Recipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from er_bench.train.data.micro_batches import MicroBatches


def training_arguments(recipe: Recipe, steps: int, world_size: int) -> TrainingArguments:
    """A recipe in the words of `TrainingArguments`. A "batch" of the Trainer is a micro batch."""
    import torch

    gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(recipe.output),
        max_steps=steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=recipe.accumulation(world_size),
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=warmup_steps(recipe, steps),
        weight_decay=recipe.weight_decay,
        adam_beta1=recipe.adam_betas[0],
        adam_beta2=recipe.adam_betas[1],
        adam_epsilon=recipe.adam_epsilon,
        max_grad_norm=recipe.max_grad_norm,
        bf16=recipe.precision == "bf16",
        use_cpu=not gpu,
        ddp_find_unused_parameters=False,
        seed=recipe.seed,
        dataloader_num_workers=recipe.workers,
        dataloader_pin_memory=gpu,
        remove_unused_columns=False,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=recipe.keep_checkpoints,
        logging_steps=recipe.log_every,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=list(recipe.report_to) or "none",
        **_sharding(recipe),
    )


def warmup_steps(recipe: Recipe, steps: int) -> int:
    """Steps over which the learning rate rises: the ratio, rounded up."""
    return math.ceil(recipe.warmup_ratio * steps)


def _sharding(recipe: Recipe) -> dict[str, Any]:
    if recipe.sharding == "fsdp2":
        config: dict[str, Any] = {
            "version": 2,
            "activation_checkpointing": recipe.gradient_checkpointing,
            "cpu_ram_efficient_loading": False,
        }
        if recipe.wrap_classes:
            config["transformer_layer_cls_to_wrap"] = list(recipe.wrap_classes)
        return {"fsdp": True, "fsdp_config": config}
    if recipe.sharding.startswith("zero"):
        return {"deepspeed": deepspeed_config(recipe)}
    return {}


def deepspeed_config(recipe: Recipe) -> dict[str, Any]:
    """DeepSpeed settings: the stage, and `auto` for all that the Trainer knows.

    Bucket sizes as in the released `zero_stage1_config.json` (Vlaser commit 40d7821).
    """
    return {
        "zero_optimization": {
            "stage": int(recipe.sharding[-1]),
            "overlap_comm": True,
            "contiguous_gradients": True,
            "allgather_bucket_size": 1e9,
            "reduce_bucket_size": 1e9,
            "stage3_gather_16bit_weights_on_model_save": True,
        },
        "bf16": {"enabled": "auto"},
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
    }


class SftTrainer(Trainer):
    """Takes micro batches in the planned order; loss and gradient are those of the whole step."""

    def __init__(
        self, model: nn.Module, args: TrainingArguments, data: MicroBatches, codec: Codec
    ) -> None:
        super().__init__(model=model, args=args, train_dataset=data, data_collator=_only)
        self._codec = codec
        self.evaluation: Callable[[int], dict[str, float]] | None = None
        """Called with the step where a callback asks for an evaluation."""
        self.loss_is_scaled_for_ga = True
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        import torch

        data: Any = train_dataset or self.train_dataset
        return torch.utils.data.SequentialSampler(data)

    def _get_num_items_in_batch(
        self, batch_samples: list[dict[str, Tensor]], device: torch.device
    ) -> Tensor:
        """The sum of the loss weights of a whole step, over micro batches and ranks."""
        import torch

        weights = [batch["loss_weights"].sum(dtype=torch.float64) for batch in batch_samples]
        total = torch.stack(weights).sum().to(device, torch.float32)
        total = cast("Tensor", self.accelerator.reduce(total, "sum"))
        return total.clamp_min(torch.finfo(torch.float32).tiny)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The micro batch's part of the step's loss, times the ranks that will average it."""
        assert num_items_in_batch is not None and not return_outputs
        loss = weighted_loss(model, inputs, self._codec, num_items_in_batch)
        return loss * int(self.accelerator.num_processes)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> float:
        """The norm of the step's gradient over all ranks, before the optimizer takes it.

        Raises ErBenchError when it is no number: weights and checkpoints stay sound.
        """
        norm = float(super()._get_grad_norm(model, grad_norm))  # type: ignore[no-untyped-call]
        if not math.isfinite(norm):
            raise ErBenchError(
                f"the loss or a gradient of step {self.state.global_step + 1} is no number; that "
                "step has changed nothing. Go on from the last checkpoint with a lower rate, "
                "--resume --set learning_rate=.., or begin again with one where there is none"
            )
        return norm

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        with loading(resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with loading(checkpoint):
            super()._load_rng_state(checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Load both; a learning rate that the recipe has changed since scales the schedule."""
        with loading(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)
        schedule, optimizer = self.lr_scheduler, self.optimizer
        if checkpoint is None or optimizer is None or schedule is None:
            return
        if not hasattr(schedule, "base_lrs"):  # DeepSpeed's own
            return
        then, now = schedule.base_lrs[0], self.args.learning_rate
        if then != now:
            schedule.base_lrs = [now] * len(schedule.base_lrs)
            for group in optimizer.param_groups:
                group["lr"], group["initial_lr"] = group["lr"] * now / then, now
            schedule._last_lr = [group["lr"] for group in optimizer.param_groups]

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """What `evaluation` finds, logged; the Trainer calls this after logging the step itself."""
        assert self.evaluation is not None
        metrics = self.evaluation(self.state.global_step)
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the Trainer's estimate does not know pictures."""
        del inputs
        return 0

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None
    ) -> None:
        """Write the weights of a checkpoint, under the names that resuming looks for.

        By default transformers 5 writes an older layout's names, which its Trainer then finds
        none of when it resumes.
        """
        if self.args.should_save:
            self.accelerator.unwrap_model(self.model).save_pretrained(
                output_dir or self.args.output_dir,
                state_dict=state_dict,
                save_original_format=False,
            )

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """A checkpoint that does not fit the model ends the run."""
        tied = set(getattr(self.model, "all_tied_weights_keys", None) or ())
        missing = sorted(set(load_result.missing_keys) - tied)
        if missing or load_result.unexpected_keys:
            raise ErBenchError(
                f"the checkpoint does not fit: missing {missing[:5]}, "
                f"unexpected {sorted(load_result.unexpected_keys)[:5]}"
            )


def _only(items: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The one micro batch that the loader hands over."""
    (item,) = items
    return item
