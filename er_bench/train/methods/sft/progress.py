"""The progress line: step, loss, learning rate, tokens a second, time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from transformers import TrainerCallback

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import TrainerControl, TrainerState, TrainingArguments


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


class Progress(TrainerCallback):
    """Prints a line whenever the Trainer logs, on the first process only.

    The tokens of every step are known beforehand, so counting them costs nothing.
    """

    def __init__(self, step_tokens: NDArray[np.int64], console: Console) -> None:
        self._tokens, self._console = step_tokens, console
        self._start_s = self._last_s = 0.0
        self._first_step = self._last_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start the clock."""
        self._start_s = self._last_s = time.monotonic()
        self._first_step = self._last_step = state.global_step

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Leave the evaluation out of the tokens per second; the time left keeps it in."""
        self._last_s += (metrics or {}).get("eval_runtime", 0.0)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print the line."""
        if not logs or "loss" not in logs:
            return
        now, step = time.monotonic(), state.global_step
        tokens = int(self._tokens[self._last_step : step].sum())
        logs["tokens_per_s"] = tokens / max(now - self._last_s, 1e-9)
        each_s = (now - self._start_s) / max(step - self._first_step, 1)
        self._last_s, self._last_step = now, step
        if state.is_world_process_zero:
            self._console.print(
                f"step {step}/{state.max_steps}  loss {logs['loss']:.4f}  "
                f"grad {logs.get('grad_norm', 0.0):.3f}  lr {logs['learning_rate']:.2e}  "
                f"{logs['tokens_per_s']:,.0f} tokens/s  "
                f"left {clock(each_s * (state.max_steps - step))}",
                highlight=False,
            )
