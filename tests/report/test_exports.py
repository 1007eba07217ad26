"""Runs in the formats of others: what is in the files, whatever the run is like."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml

import er_bench as api
from er_bench.core.errors import UsageError
from er_bench.data.files import write_json
from er_bench.report.exports.every_eval_ever import to_every_eval_ever
from er_bench.report.exports.finished import export, safe
from er_bench.report.exports.formats import EXPORTERS
from er_bench.report.exports.hub_results import to_hub_results
from er_bench.report.exports.lm_eval import to_lm_eval
from er_bench.report.exports.text_tables import to_latex, to_markdown
from tests.conftest import Command

TASKS = ["erqa", "refspatial", "trajectory", "home_alfred", "vlabench"]
UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    """Letters, points, traces and an episode, the model failing now and then."""
    out = tmp_path_factory.mktemp("exports") / "chance"
    return api.evaluate(
        "reference/chance", TASKS, split="mini", limit=3, repeats=2, out=out, allow_missing=True
    )


def test_every_eval_ever(run: api.Run, tmp_path: Path) -> None:
    aggregate, samples = export(run.folder, to_every_eval_ever, tmp_path)
    where = rf"data/er-bench/er-bench/reference-chance/{UUID4}"
    assert re.fullmatch(rf"{where}\.json", aggregate.relative_to(tmp_path).as_posix())
    told = json.loads(aggregate.read_text())
    assert told["schema_version"] == "0.3.0"
    assert told["eval_library"]["name"] == "er-bench"
    detailed = told["detailed_evaluation_results"]
    assert re.fullmatch(rf"{where}_samples\.jsonl", detailed["file_path"])
    assert detailed["checksum"] == hashlib.sha256(samples.read_bytes()).hexdigest()
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    assert detailed["total_rows"] == len(lines) == 30
    results = {r["evaluation_name"]: r for r in told["evaluation_results"]}
    for label, task in run.results.tasks.items():
        assert results[label]["score_details"]["score"] == task.score
        for name in set(task.readings) - {"official"}:
            assert f"{label} ({name})" in results
    assert results["trajectory"]["metric_config"]["lower_is_better"] is True
    assert results["trajectory (vla_r1)"]["metric_config"]["lower_is_better"] is False
    assert all(
        isinstance(value, str)
        for r in told["evaluation_results"]
        for details in (r["source_data"]["additional_details"], r["score_details"]["details"],
                        r["generation_config"]["additional_details"])
        for value in details.values()
    )  # fmt: skip


def test_every_eval_ever_samples(run: api.Run, tmp_path: Path) -> None:
    _, samples = export(run.folder, to_every_eval_ever, tmp_path)
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    by_key = {(r.task, r.id, r.repeat): r for r in run.records}
    for line in lines:
        sample_id, _, repeat = line["sample_id"].partition("#")
        record = by_key[line["evaluation_name"], sample_id, int(repeat or 0)]
        assert line["evaluation"]["score"] == record.judgement["official"].score
        episode = record.task == "home_alfred"
        assert line["interaction_type"] == ("agentic" if episode else "single_turn")
        assert (line["output"] is None) is episode
        assert (line["messages"] is None) is not episode
        if episode:
            said = [m["content"] for m in line["messages"] if m["role"] == "assistant"]
            assert said == [t.completion.text for t in record.rollout.turns]
            assert line["evaluation"]["num_turns"] == len(said)
        else:
            assert line["output"]["raw"] == [record.rollout.completion.text]
        assert all(isinstance(text, str) for text in line["input"]["reference"])
        assert line["answer_attribution"][0]["is_terminal"]


def test_a_run_twice_is_the_same_file(run: api.Run, tmp_path: Path) -> None:
    one, other = (export(run.folder, to_every_eval_ever, tmp_path / n) for n in "ab")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in other]


def test_lm_eval(run: api.Run, tmp_path: Path) -> None:
    results, *samples = export(run.folder, to_lm_eval, tmp_path)
    assert results.parent.name == "reference__chance"
    assert re.fullmatch(r"results_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.json", results.name)
    told = json.loads(results.read_text())
    for label, task in run.results.tasks.items():
        assert told["results"][label]["official,none"] == task.score
        assert told["n-samples"][label] == {"original": 6, "effective": task.n_scored}
        assert "official_stderr,none" in told["results"][label]
    assert told["higher_is_better"]["trajectory"]["official"] is False
    assert len(samples) == len(TASKS)
    lines = [json.loads(line) for file in samples for line in file.read_text().splitlines()]
    assert len(lines) == 30
    for line in lines:
        assert set(line["metrics"]) <= line.keys()
        assert len(line["doc_hash"]) == len(line["target_hash"]) == 64


def test_hub_results_are_of_official_rows_alone(run: api.Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="official rows"):
        export(run.folder, to_hub_results, tmp_path / "none")
    results = json.loads((run.folder / "results.json").read_text())
    results["tasks"]["refspatial"] |= {"split": "official", "status": "complete"}
    results["tasks"]["refspatial"]["dataset"] |= {"id": "org/set", "revision": "abc"}
    folder = tmp_path / "official"
    folder.mkdir()
    for file in run.folder.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    write_json(folder / "results.json", results)
    (file,) = export(folder, to_hub_results, tmp_path / "hub")
    assert file.relative_to(tmp_path / "hub").as_posix() == ".eval_results/refspatial.yaml"
    (entry,) = yaml.safe_load(file.read_text())
    assert entry["dataset"] == {"id": "org/set", "task_id": "refspatial", "revision": "abc"}
    assert entry["value"] == round(100 * results["tasks"]["refspatial"]["score"], 2)
    assert "official reading" in entry["notes"]


def test_tables(run: api.Run, tmp_path: Path) -> None:
    (markdown,) = export(run.folder, to_markdown, tmp_path)
    lines = markdown.read_text().splitlines()
    assert lines[0].startswith("| task | metric | score |")
    assert any("trajectory | distance \N{DOWNWARDS ARROW}" in line for line in lines)
    (latex,) = export(run.folder, to_latex, tmp_path)
    assert r"home\_alfred" in latex.read_text()


@pytest.mark.parametrize("name", ["..", "a/b", "", "ünï", "C:\\x", "."])
def test_names_are_one_part_of_a_path(name: str) -> None:
    made = safe(name)
    assert made and made not in (".", "..")
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", made)


@pytest.mark.parametrize("name", sorted(set(EXPORTERS) - {"hf"}))
def test_the_command_writes_every_format(
    run: api.Run, er_bench: Command, tmp_path: Path, name: str
) -> None:
    done = er_bench("export", run.folder, "out", "--format", name)
    assert done.returncode == 0, done.stderr
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert files and all(p.stat().st_size for p in files)
