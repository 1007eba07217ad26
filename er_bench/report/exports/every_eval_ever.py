"""Every Eval Ever 0.3.0: one aggregate file a run, and a line for each of its samples.

Schemas: `eval.schema.json` and `instance_level_eval.schema.json` of every-eval-ever 0.3.0. Files
lie in `data/er-bench/<developer>/<model>/`, named by a UUID that the run's id gives. A sample that
was not scored has no line, for a line must have a score; how many there are is in the details.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

from er_bench.core.record import Record, RecordStatus
from er_bench.core.score import Verdict
from er_bench.core.task import OFFICIAL
from er_bench.data.files import write_json, write_text, writing
from er_bench.report.exports.finished import FinishedRun, made_at, model_id, safe
from er_bench.report.results import ReadingResult, TaskResult

VERSION = "0.3.0"
COLLECTION = "er-bench"


def to_every_eval_ever(run: FinishedRun, out: Path) -> list[Path]:
    """The aggregate file and the samples beside it."""
    developer, model = model_id(run)
    folder = Path("data") / COLLECTION / safe(developer) / safe(model)
    digest = hashlib.sha256(run.results.run.id.encode()).digest()[:16]
    name = str(uuid.UUID(bytes=digest, version=4))
    stamp = str(int(made_at(run).timestamp()))
    about = f"{COLLECTION}/{developer}/{model}/{stamp}"
    lines = [json.dumps(line) for line in _samples(run, about, f"{developer}/{model}")]
    text = "".join(f"{line}\n" for line in lines)
    samples = folder / f"{name}_samples.jsonl"
    with writing(out / folder):
        (out / folder).mkdir(parents=True, exist_ok=True)
    write_text(out / samples, text)
    detailed = {
        "format": "jsonl",
        "file_path": samples.as_posix(),
        "hash_algorithm": "sha256",
        "checksum": hashlib.sha256(text.encode()).hexdigest(),
        "total_rows": len(lines),
    }
    aggregate = out / folder / f"{name}.json"
    write_json(aggregate, _aggregate(run, about, stamp) | {"detailed_evaluation_results": detailed})
    return [aggregate, out / samples]


def _aggregate(run: FinishedRun, about: str, stamp: str) -> dict[str, object]:
    info, model = run.manifest.info, run.manifest.model
    developer, name = model_id(run)
    library: dict[str, object] = {"name": "er-bench", "version": info.er_bench_version}
    if info.git_sha:
        library["additional_details"] = {"git_hash": info.git_sha}
    return {
        "schema_version": VERSION,
        "evaluation_id": about,
        "evaluation_timestamp": stamp,
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_type": "evaluation_run",
            "source_name": run.results.run.id,
            "source_organization_name": "er-bench",
            "evaluator_relationship": "third_party",
        },
        "eval_library": library,
        "model_info": {
            "name": model.name,
            "id": f"{developer}/{name}",
            "additional_details": {
                "deployment_type": "unknown",
                "model_availability": "unknown",
                "backend": model.backend,
                "checkpoint": model.checkpoint,
                "revision": model.revision or "",
                "dialect": model.dialect,
            },
        },
        "evaluation_results": [
            _result(run, label, task, reading, made)
            for label, task in run.results.tasks.items()
            for reading, made in task.readings.items()
            if made.score is not None
        ],
    }


def _result(
    run: FinishedRun, label: str, task: TaskResult, reading: str, made: ReadingResult
) -> dict[str, object]:
    name = label if reading == OFFICIAL else f"{label} ({reading})"
    not_scored = task.n_total - task.n_scored
    return {
        "evaluation_name": name,
        "source_data": _source(label, task),
        "metric_config": {
            "metric_id": f"{label}.{reading}",
            "metric_name": task.metric,
            "metric_unit": "proportion",
            "evaluation_description": f"{made.rule}; read by: {made.reader}; {made.source}",
            "lower_is_better": made.lower_is_better,
            "score_type": "continuous",
            "min_score": 0,
            "max_score": 1,
        },
        "score_details": {
            "score": made.score,
            "details": {
                "n_total": str(task.n_total), "n_not_scored": str(not_scored),
                "n_unparsed": str(made.n_unparsed), "status": task.status,
                **{f"category: {k}": repr(v) for k, v in made.categories.items()},
                **{f"metric: {k}": repr(v) for k, v in made.metrics.items()},
            },
            "uncertainty": _uncertainty(task, made),
        },
        "generation_config": _generation(run, task),
    }  # fmt: skip


def _source(label: str, task: TaskResult) -> dict[str, object]:
    details = {"split": task.split, "fingerprint": task.dataset.fingerprint}
    if task.dataset.id is None:
        return {
            "dataset_name": label, "source_type": "other",
            "additional_details": details | {"samples": str(task.n_total)},
        }  # fmt: skip
    details["revision"] = task.dataset.revision or "unknown"
    return {
        "dataset_name": label,
        "source_type": "hf_dataset",
        "hf_repo": task.dataset.id,
        "samples_number": task.n_total,
        "additional_details": details,
    }


def _uncertainty(task: TaskResult, made: ReadingResult) -> dict[str, object]:
    found: dict[str, object] = {"num_samples": task.n_scored}
    if made.stderr is not None:
        found["standard_error"] = {"value": made.stderr, "method": "clustered"}
    if made.ci95 is not None:
        low, high = made.ci95
        found["confidence_interval"] = {
            "lower": low, "upper": high, "confidence_level": 0.95, "method": "clustered",
        }  # fmt: skip
    return found


def _generation(run: FinishedRun, task: TaskResult) -> dict[str, object]:
    decoding = run.manifest.model.decoding
    names = {"temperature": "temperature", "top_p": "top_p", "max_new_tokens": "max_tokens"}
    args = {
        theirs: decoding[ours] for ours, theirs in names.items() if decoding.get(ours) is not None
    }
    settings = {k: json.dumps(v) for k, v in run.manifest.model.settings.items()}
    return {
        "generation_args": args,
        "additional_details": {
            "protocol": task.protocol, "prompt_sha256": task.prompt_sha256, **settings,
        },
    }  # fmt: skip


def _samples(run: FinishedRun, about: str, model: str) -> Iterator[dict[str, object]]:
    for record in run.records():
        verdict = record.judgement.get(OFFICIAL)
        if record.status is not RecordStatus.SCORED or verdict is None or verdict.score is None:
            continue
        made = run.results.tasks[record.task].readings[OFFICIAL]
        yield _sample(record, verdict, made, verdict.score) | {
            "evaluation_id": about,
            "model_id": model,
        }


def _sample(
    record: Record, verdict: Verdict, made: ReadingResult, score: float
) -> dict[str, object]:
    episode = record.rollout.start is not None or len(record.rollout.turns) != 1
    texts = [completion.text for completion in record.completions()]
    best = 0.0 if made.lower_is_better else 1.0
    evaluation: dict[str, object] = {"score": score, "is_correct": score == best}
    if episode:
        evaluation["num_turns"] = len(record.rollout.turns)
    line: dict[str, object] = {
        "schema_version": f"instance_level_eval_{VERSION}",
        "evaluation_name": record.task,
        "sample_id": record.id if not record.repeat else f"{record.id}#{record.repeat}",
        "interaction_type": "agentic" if episode else "single_turn",
        "input": {
            "raw": record.question,
            "reference": _truth(record),
            **({"choices": list(record.options.values())} if record.options else {}),
        },
        "output": None if episode else {"raw": texts, **_thoughts(record)},
        "messages": _messages(record) if episode else None,
        "answer_attribution": [
            {
                "turn_idx": max(0, len(texts) - 1),
                "source": "messages" if episode else "output.raw",
                "extracted_value": json.dumps(_plain(verdict)),
                "extraction_method": made.reader,
                "is_terminal": True,
            }
        ],
        "evaluation": evaluation,
        "metadata": {"category": record.category, "cluster": record.cluster, "why": verdict.why},
    }
    return line | _costs(record)


def _plain(verdict: Verdict) -> object:
    """An answer as JSON has it, which knows no NaN."""
    return str(verdict.answer.value) if verdict.answer.value is not None else None


def _truth(record: Record) -> list[str]:
    truth = record.truth
    places = (truth.points_px_xy, truth.boxes_px_xyxy, truth.polygons_px, truth.trace_px_xy)
    found = [truth.text] if truth.text else []
    found += [json.dumps(place) for place in places if place]
    return found + ([truth.mask.file] if truth.mask is not None else [])


def _thoughts(record: Record) -> dict[str, object]:
    thoughts = [completion.thoughts for completion in record.completions() if completion.thoughts]
    return {"reasoning_trace": thoughts} if thoughts else {}


def _messages(record: Record) -> list[dict[str, object]]:
    start = record.rollout.start
    said = [("user", start.instruction if start is not None else record.question)]
    for turn in record.rollout.turns:
        said.append(("assistant", turn.said))
        said += [("tool", f"{step.action}: {step.feedback}") for step in turn.steps]
    return [{"turn_idx": k, "role": role, "content": text} for k, (role, text) in enumerate(said)]


def _costs(record: Record) -> dict[str, object]:
    counts = [(c.tokens_in, c.tokens_out) for c in record.completions()]
    found: dict[str, object] = {
        "performance": {"latency_ms": 1000 * sum(c.latency_s for c in record.completions())}
    }
    if counts and all(n is not None for pair in counts for n in pair):
        n_in, n_out = sum(a or 0 for a, _ in counts), sum(b or 0 for _, b in counts)
        found["token_usage"] = {
            "input_tokens": n_in, "output_tokens": n_out, "total_tokens": n_in + n_out,
        }  # fmt: skip
    return found
