"""Answers of a training step kept as a run folder, which `er-bench report` and `view` open."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from er_bench import api
from er_bench.core.completion import Completion
from er_bench.core.manifest import Rows
from er_bench.core.paths import resolved
from er_bench.core.rollout import Rollout
from er_bench.run.frames import FrameKeeper
from er_bench.run.records import make_record
from er_bench.run.store import RunStore
from er_bench.scoring import answers_manifest
from er_bench.train.methods.grpo.episodes import ROLLOUT, SENT
from er_bench.train.methods.grpo.prompts import Teaching
from er_bench.train.methods.grpo.recipe import GrpoRecipe


class Rollouts:
    """Keeps the answers of every so many steps, each with what every reading makes of it."""

    def __init__(self, recipe: GrpoRecipe, taught: Teaching) -> None:
        self._recipe, self._taught = recipe, taught
        self._rows = {(task.label, sample.id): (task, sample) for task, sample in taught.rows}

    def begin(self, step: int) -> FrameKeeper | None:
        """Where the pictures of a step's episodes are kept; None where its answers are not."""
        out = self._folder(step)
        if out is None:
            return None
        # Of this step taken before a stop.
        shutil.rmtree(out, ignore_errors=True)
        return FrameKeeper(out)

    def _folder(self, step: int) -> Path | None:
        every = self._recipe.keep_rollouts
        if not every or (step - 1) % every:
            return None
        return self._recipe.output / "rollouts" / f"step-{step}"

    def _answered(self, row: Mapping[str, Any], ids: Sequence[int]) -> Rollout:
        sizes = tuple((w, h) for w, h in row["image_sizes"])
        text, reason = self._taught.codec.answer(ids)
        return Rollout.answered(Completion(text, reason, tokens_out=len(ids), image_sizes=sizes))

    def __call__(
        self, step: int, rows: Sequence[Mapping[str, Any]], answers: Sequence[Sequence[int]]
    ) -> None:
        """Keep the answers to a step's rows (`Teaching.dataset`), if it is time."""
        out = self._folder(step)
        if out is None:
            return
        places = [(row["task"], row["id"]) for row in rows]
        n_of_task = Counter(task for task, _ in dict.fromkeys(places))
        opened = [
            replace(o, found=replace(o.found, n_wanted=n_of_task[o.task.label]))
            for o in self._taught.opened
            if o.task.label in n_of_task
        ]
        recipe = self._recipe
        choice = Rows(
            split=recipe.split,
            data=str(resolved(recipe.tasks_data)) if recipe.tasks_data else None,
            limit=recipe.limit,
        )
        most = max(Counter(places).values())
        source = f"step {step}"
        name = f"{recipe.output.name}, step {step}"
        manifest = answers_manifest(name, source, recipe.dialect, opened, choice, most)
        seen: Counter[tuple[str, str]] = Counter()
        with RunStore(out, manifest, resume=False) as store:
            for place, row, ids in zip(places, rows, answers, strict=True):
                task, sample = self._rows[place]
                rollout = row.get(ROLLOUT) or self._answered(row, ids)
                key = (task.label, sample.id, seen[place])
                record = make_record(task, sample, key, rollout, task.judge(sample, rollout))
                store.append(record, row.get(SENT, {}))
                seen[place] += 1
        api.counted(out, opened)
