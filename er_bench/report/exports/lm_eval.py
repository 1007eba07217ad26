"""Results and samples as lm-eval 0.4.13 writes them (`lm_eval/result_schema.py`).

`<model>/results_<time>.json` and a `<model>/samples_<task>_<time>.jsonl` a task. A reading is a
metric; its filter is `none`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from er_bench.core.record import Record, RecordStatus
from er_bench.data.files import write_json, write_text, writing
from er_bench.report.exports.finished import FinishedRun, made_at, safe
from er_bench.report.results import TaskResult

FILTER = "none"


def to_lm_eval(run: FinishedRun, out: Path) -> list[Path]:
    """The two kinds of files."""
    model = safe(run.manifest.model.name.replace("/", "__"))
    stamp = made_at(run).strftime("%Y-%m-%dT%H-%M-%S")
    folder = out / model
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    results = folder / f"results_{stamp}.json"
    write_json(results, _results(run, model))
    lines: dict[str, list[str]] = {label: [] for label in run.results.tasks}
    for record in run.records():
        if record.status is RecordStatus.SCORED:
            rows = lines[record.task]
            made = _samples(record, len(rows), run.results.tasks[record.task])
            rows.append(json.dumps(made, allow_nan=True))
    written = [results]
    for label, rows in lines.items():
        if rows:
            written.append(folder / f"samples_{safe(label)}_{stamp}.jsonl")
            write_text(written[-1], "".join(f"{row}\n" for row in rows))
    return written


def _results(run: FinishedRun, model: str) -> dict[str, object]:
    info, about, tasks = run.manifest.info, run.manifest.model, run.results.tasks
    measured = {label: task for label, task in tasks.items() if task.score is not None}
    return {
        "results": {label: dict(_numbers(label, task)) for label, task in measured.items()},
        "groups": {},
        "group_subtasks": {label: [] for label in measured},
        "configs": {
            label: {
                "task": label, "dataset_path": task.dataset.id, "output_type": "generate_until",
                "metadata": {"protocol": task.protocol, "split": task.split,
                             "fingerprint": task.dataset.fingerprint},
            }
            for label, task in measured.items()
        },
        "versions": {label: task.protocol for label, task in measured.items()},
        "n-shot": dict.fromkeys(measured, 0),
        "higher_is_better": {
            label: {name: not made.lower_is_better for name, made in task.readings.items()}
            for label, task in measured.items()
        },
        "n-samples": {
            label: {"original": task.n_total, "effective": task.n_scored}
            for label, task in measured.items()
        },
        "config": {
            "model": about.backend,
            "model_args": {"pretrained": about.checkpoint, **about.settings},
            "model_sha": about.revision or "",
            "gen_kwargs": about.decoding,
            "random_seed": run.manifest.identity.seed,
            "limit": run.manifest.options.limit,
        },
        "git_hash": info.git_sha,
        "date": made_at(run).timestamp(),
        "lm_eval_version": f"er-bench {info.er_bench_version}",
        "transformers_version": info.packages.get("transformers", ""),
        "pretty_env_info": json.dumps({**info.packages, **info.hardware}),
        "model_source": about.backend,
        "model_name": about.name,
        "model_name_sanitized": model,
        "task_hashes": {label: task.prompt_sha256 for label, task in measured.items()},
        "total_evaluation_time_seconds": str(sum(task.seconds for task in tasks.values())),
    }  # fmt: skip


def _numbers(label: str, task: TaskResult) -> Iterator[tuple[str, object]]:
    yield "alias", label
    yield "sample_len", task.n_scored
    for name, made in task.readings.items():
        if made.score is not None:
            yield f"{name},{FILTER}", made.score
            yield f"{name}_stderr,{FILTER}", "N/A" if made.stderr is None else made.stderr


def _samples(record: Record, number: int, task: TaskResult) -> dict[str, object]:
    texts = [completion.text for completion in record.completions()]
    doc = {
        "id": record.id, "repeat": record.repeat, "question": record.question,
        "options": record.options, "category": record.category,
    }  # fmt: skip
    target = record.truth.text or json.dumps(
        {"points": record.truth.points_px_xy, "boxes": record.truth.boxes_px_xyxy,
         "trace": record.truth.trace_px_xy}
    )  # fmt: skip
    prompt = record.rollout.turns[0].prompt_sha256 if record.rollout.turns else ""
    scores = {
        name: verdict.score
        for name, verdict in record.judgement.items()
        if name in task.readings and verdict.score is not None
    }
    return {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "arguments": {"gen_args_0": {"arg_0": record.question, "arg_1": {}}},
        "resps": [texts],
        "filtered_resps": texts,
        "filter": FILTER,
        "metrics": list(scores),
        **scores,
        "doc_hash": _sha256(json.dumps(doc)),
        "prompt_hash": prompt,
        "target_hash": _sha256(target),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
