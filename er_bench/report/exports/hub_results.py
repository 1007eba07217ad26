"""Scores as the hub shows them on a model's page: `.eval_results/*.yaml` of its repository.

Made by huggingface_hub's own classes (2.4). The hub shows those whose data set is registered there
as a benchmark; task ids are er-bench's labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from er_bench.core.errors import UsageError
from er_bench.data.files import write_text, writing
from er_bench.report.exports.finished import FinishedRun, made_at, safe
from er_bench.report.results import TaskResult


def to_hub_results(run: FinishedRun, out: Path) -> list[Path]:
    """A file a task that is complete on its official rows and whose rows are on the hub.

    Raises UsageError when there is no such task, or the installed huggingface_hub is too old.
    """
    try:
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    except ImportError as error:
        raise UsageError(
            "this format needs huggingface_hub 2.0 or later: pip install --upgrade huggingface_hub"
        ) from error
    written = []
    for label, task in run.results.tasks.items():
        if task.split != "official" or task.status != "complete" or task.score is None:
            continue
        if task.dataset.id is None:
            continue
        entry = EvalResultEntry(
            dataset_id=task.dataset.id,
            task_id=label,
            value=round(100 * task.score, 2),
            dataset_revision=task.dataset.revision,
            date=made_at(run).date().isoformat(),
            notes=_notes(run, task),
        )
        content: list[dict[str, Any]] = eval_result_entries_to_yaml([entry])
        file = out / ".eval_results" / f"{safe(label)}.yaml"
        with writing(file.parent):
            file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        written.append(file)
    if not written:
        raise UsageError(
            f"{run.folder} has no task that is complete on its official rows and on the hub; the "
            "hub's pages show nothing else"
        )
    return written


def _notes(run: FinishedRun, task: TaskResult) -> str:
    version, model = run.manifest.info.er_bench_version, run.manifest.model
    interval = ""
    if task.ci95 is not None:
        interval = f", 95% {100 * task.ci95[0]:.2f} to {100 * task.ci95[1]:.2f}"
    lower = ", lower is better" if task.lower_is_better else ""
    return (
        f"er-bench {version}: {task.metric}{lower}, official reading, {task.n_scored} samples"
        f"{interval}, backend {model.backend}, dialect {model.dialect}"
    )
