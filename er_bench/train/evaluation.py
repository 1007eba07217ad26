"""Evaluate while training: er-bench's own tasks on the weights as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from transformers import TrainerCallback

from er_bench.model import Model, ModelSettings
from er_bench.prompt import Decoding
from er_bench.registry import Registry, dialect

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainerControl, TrainerState, TrainingArguments

    from er_bench.evaluate import Opened, Options
    from er_bench.train.run import Run
    from er_bench.train.trainer import SftTrainer


class Evaluation(TrainerCallback):
    """Runs the tasks every so many steps and at the end, and logs their official scores.

    The first process asks, through the same runner, prompts and scorers as `er-bench run`; the
    others wait. Each evaluation leaves a run folder, `eval/step-N`. Random states are put back,
    so that training goes on as if nothing had happened.
    """

    def __init__(self, run: Run, trainer: SftTrainer, console: Console) -> None:
        from er_bench import evaluate

        recipe = run.recipe
        self._run, self._trainer, self._console = run, trainer, console
        self._registry = Registry(recipe.eval_include)
        self._options: Options = evaluate.Options(
            tasks=self._registry.select(",".join(recipe.eval_tasks)),
            split=recipe.eval_split,
            data=recipe.eval_data,
            limit=recipe.eval_limit,
        )
        self._last_step = -1
        self._opened: list[Opened] = []
        if trainer.is_world_process_zero():
            model = self._model(trainer.accelerator.unwrap_model(trainer.model), 0)
            self._opened = evaluate.open_tasks(
                self._registry, model, self._options, lambda line: None, media=True
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Evaluate when it is time."""
        if state.global_step % self._run.recipe.eval_every == 0:
            self._evaluate(state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Evaluate what has come out of it."""
        if state.global_step != self._last_step:
            self._evaluate(state.global_step)

    def _model(self, model: PreTrainedModel, step: int) -> Model:
        recipe = self._run.recipe
        settings = ModelSettings(
            name=recipe.output.name,
            checkpoint=str(recipe.output),
            revision=f"step-{step}",
            dialect=dialect(recipe.eval_dialect),
            card_decoding=Decoding(),
            forced_decoding=Decoding(),
            args={"max_tiles": recipe.max_tiles, **recipe.eval_model_args},
        )
        return self._run.family.live(model, self._run.codec, settings)

    def _evaluate(self, step: int) -> None:
        self._last_step = step
        if self._trainer.is_world_process_zero():
            self._ask(step)
        self._trainer.accelerator.wait_for_everyone()

    def _ask(self, step: int) -> None:
        import torch

        from er_bench import evaluate

        trained = self._trainer.accelerator.unwrap_model(self._trainer.model)
        trained.eval()
        out = self._run.recipe.output / "eval" / f"step-{step}"
        devices = [trained.device] if trained.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            found = evaluate.run(
                self._registry,
                self._model(trained, step),
                self._options,
                out,
                resume=out.exists(),
                opened=self._opened,
            )
        trained.train()
        scores = {
            f"eval/{name}": task.score
            for name, task in found.tasks.items()
            if task.score is not None
        }
        line = "  ".join(f"{name.removeprefix('eval/')} {s:.1%}" for name, s in scores.items())
        self._console.print(f"step {step}  evaluation: {line or 'nothing scored'}  ({out})")
        self._trainer.log(dict(scores))
