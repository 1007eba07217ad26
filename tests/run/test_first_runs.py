"""Run folders of the first er-bench: read, scored again, and not continued."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import er_bench as api
from er_bench.core.answer import Answer, Plan, Points, Status
from er_bench.core.errors import StoreError
from er_bench.core.geometry import Unit
from er_bench.core.record import RecordStatus
from er_bench.data.run_folder import read_manifest, read_records
from er_bench.report.results import read_results
from tests.conftest import Command

Json = dict[str, Any]


def first_manifest(made: Path) -> Json:
    """The manifest of a run of today as the first er-bench wrote it: flat, without a version."""
    now = json.loads((made / "manifest.json").read_text())
    del now["schema_version"]
    for plan in now["tasks"].values():
        del plan["root"]
    return {**now.pop("info"), **now}


def completion(text: str, **more: object) -> Json:
    return {"text": text, "finish_reason": "stop", "tokens_in": None, "tokens_out": None,
            "latency_s": 0.1, "image_sizes": [], "constrained": False, **more}  # fmt: skip


def answer(value: object) -> Json:
    note = {} if value is not None else {"note": "nothing of the expected form is there"}
    read = {"status": "ok" if value is not None else "unparsed", "value": value, **note}
    return {"official": read, "robust": read}


def first_record(**told: object) -> Json:
    return {"repeat": 0, "status": "scored", "prompt_sha256": "ab" * 32,
            "tokens": {"in": None, "out": None}, "seconds": 0.5, **told}  # fmt: skip


def toy_record(k: int, text: str, **more: object) -> Json:
    score = float(text == "ABCD"[k % 4])
    return first_record(
        task="toy", id=f"q{k}", cluster=f"scene{k // 3}", category="odd" if k % 2 else "even",
        completions=[completion(text)], answer=answer(text or None),
        score={"official": score, "robust": score, "parts": {}}, **more,
    )  # fmt: skip


def write_run(folder: Path, manifest: Json, records: list[Json]) -> None:
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))
    (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    results = {"schema_version": "1.0", "run": {"id": folder.name}, "tasks": {}}
    (folder / "results.json").write_text(json.dumps(results))


@pytest.fixture
def first_run(toy_path: Path, tmp_path: Path) -> Path:
    """`old`: 24 answers to the toy task, 5 of them wrong and one of those empty."""
    api.evaluate("reference/oracle", "toy", include=[toy_path], out=tmp_path / "made")
    records = [toy_record(k, "ABCD"[k % 4]) for k in range(19)]
    records += [toy_record(k, "ABCD"[(k + 1) % 4]) for k in range(19, 23)] + [toy_record(23, "")]
    write_run(tmp_path / "old", first_manifest(tmp_path / "made"), records)
    return tmp_path / "old"


def test_it_is_read_as_a_run_of_today(first_run: Path) -> None:
    manifest, records = read_manifest(first_run), list(read_records(first_run))
    assert manifest.schema_version == "1.0"
    assert manifest.model.name == "reference/oracle" and manifest.info.packages
    assert manifest.tasks["toy"].n_total == 24
    first, last = records[0], records[-1]
    assert (first.key, first.cluster, first.category) == (("toy", "q0", 0), "scene0", "even")
    assert first.rollout.completion.text == "A" and first.rollout.completion.latency_s == 0.1
    assert first.rollout.turns[0].prompt_sha256 == "ab" * 32
    assert first.judgement["official"].answer == Answer("A") and first.seconds == 0.5
    assert (first.question, first.truth.text, first.media) == ("", "", ())
    assert last.judgement["robust"].answer.status is Status.UNPARSED


def test_scored_again_it_has_the_same_score_and_tells_all(
    first_run: Path, er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    done = er_bench("score", "--run", "old", "--include-path", toy_path)
    assert done.returncode == 0, done.stderr
    assert "every score is the same" in done.stdout
    toy = read_results(tmp_path / "old-rescored").tasks["toy"]
    assert toy.score == 19 / 24 and (toy.n_scored, toy.n_unparsed, toy.n_total) == (24, 1, 24)
    assert read_manifest(tmp_path / "old-rescored").schema_version == "2.0"
    record = next(read_records(tmp_path / "old-rescored"))
    assert record.question == "Question 0: say A." and record.truth.text == "A"
    assert list(record.options) == list("ABCD") and record.seconds == 0.5


def test_a_score_that_the_first_er_bench_made_otherwise_is_named(
    first_run: Path, er_bench: Command, toy_path: Path
) -> None:
    file = first_run / "records.jsonl"
    file.write_text(file.read_text().replace('"text": "A"', '"text": "B"'))
    done = er_bench("score", "--run", "old", "--include-path", toy_path)
    assert f"toy: score was {19 / 24}, is {14 / 24}" in done.stdout
    assert "toy: categories were others" in done.stdout


def test_failures_stay_failures(first_run: Path, toy_path: Path, tmp_path: Path) -> None:
    file = first_run / "records.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()]
    nothing: Json = {"score": None, "answer": None, "completions": []}
    records[0] |= {"status": "model_error", "error": "no answer within 3 s", **nothing}
    records[1] |= {"status": "data_error", "error": "row 1: no picture", **nothing}
    file.write_text("".join(json.dumps(r) + "\n" for r in records))
    found = list(read_records(first_run))
    assert found[0].status is RecordStatus.MODEL_ERROR and not found[0].judgement
    again = api.score(first_run, out=tmp_path / "again", include=[toy_path])
    toy = again.results.tasks["toy"]
    assert (toy.n_scored, toy.n_model_error, toy.n_data_error) == (22, 1, 1)
    assert toy.score == 17 / 22
    assert toy.why is not None and "no answer within 3 s" in toy.why


def test_scored_again_its_pictures_are_found(
    toy_path: Path, tmp_path: Path, first_run: Path
) -> None:
    made = api.evaluate("reference/oracle", "erqa", split="mini", limit=1, out=tmp_path / "erqa")
    (record,) = made.records
    one = first_record(
        task="erqa", id=record.id, cluster=record.cluster, category=record.category,
        completions=[completion(record.truth.text)], answer=answer(record.truth.text),
        score={"official": 1.0, "robust": 1.0, "parts": {"n_images": 1}},
    )  # fmt: skip
    write_run(tmp_path / "old_erqa", first_manifest(made.folder), [one])
    again = api.score(tmp_path / "old_erqa")
    (found,) = again.records
    assert found.media == record.media
    assert again.medium(found, found.media[0]).read() == made.medium(record, found.media[0]).read()


def test_it_is_not_continued_and_the_way_out_works(
    first_run: Path, er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    file = first_run / "records.jsonl"
    before = "".join(file.read_text().splitlines(keepends=True)[:20])
    file.write_text(before)
    args = ["run", "--model", "reference/oracle", "--tasks", "toy", "--include-path", toy_path,
            "--resume", "--out"]  # fmt: skip
    refused = er_bench(*args, "old")
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert "er-bench score --run old" in refused.stderr
    assert file.read_text() == before, "nothing is changed"
    scored = er_bench("score", "--run", "old", "--include-path", toy_path)
    assert scored.returncode == 3, "4 answers are missing"
    gone_on = er_bench(*args, "old-rescored")
    assert gone_on.returncode == 0, gone_on.stderr
    toy = read_results(tmp_path / "old-rescored").tasks["toy"]
    assert (toy.n_scored, toy.score) == (24, 23 / 24)


def test_its_results_are_refused_by_leaderboard_with_the_way_out(
    first_run: Path, er_bench: Command
) -> None:
    done = er_bench("leaderboard", "old")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "er-bench score --run old" in done.stderr
    with pytest.raises(StoreError, match="er-bench score --run"):
        api.load_run(first_run)


def test_a_run_of_a_newer_er_bench_is_refused_with_the_word_update(
    er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    run = api.evaluate("reference/oracle", "toy", include=[toy_path], out=tmp_path / "r")
    file = run.folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": "3.0"}))
    run_again = ["run", "--model", "reference/oracle", "--tasks", "toy", "--resume", "--out", "r"]
    for command in (["score", "--run", "r"], ["export", "r", "x"], run_again):
        more = ["--include-path", str(toy_path)]
        done = er_bench(*command, *more)
        assert done.returncode == 2 and "Traceback" not in done.stderr, command
        assert "newer er-bench" in done.stderr and "update" in done.stderr


def test_newer_results_are_refused_with_the_word_update(
    er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    run = api.evaluate("reference/oracle", "toy", include=[toy_path], out=tmp_path / "r")
    file = run.folder / "results.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": "3.0"}))
    done = er_bench("leaderboard", "r")
    assert done.returncode == 2 and "update" in done.stderr


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"points_xy": [[0.5, 0.25], [1, 2]], "unit": "fraction"},
         Points(((0.5, 0.25), (1, 2)), Unit.FRACTION)),
        ({"plan": [1, {"name": "pick", "params": {"a": 2}}]},
         Plan((1, {"name": "pick", "params": {"a": 2}}))),
        (3, 3.0),
        ("C", "C"),
    ],
)  # fmt: skip
def test_every_kind_of_answer_is_read(first_run: Path, value: object, read: object) -> None:
    record = toy_record(0, "x") | {"answer": answer(value)}
    (first_run / "records.jsonl").write_text(json.dumps(record) + "\n")
    (found,) = read_records(first_run)
    assert found.judgement["official"].answer == Answer(read)  # type: ignore[arg-type]
    assert type(found.judgement["official"].answer.value) is type(read)


# An episode.


def without_instruction(run: api.Run) -> Json:
    """An episode's record of today as the first er-bench wrote it."""
    (record,) = run.records
    rollout, verdict = record.rollout, record.judgement["official"]
    assert rollout.start is not None and isinstance(verdict.answer.value, Plan)
    steps: list[Json] = [
        {"event": "reset", "instruction": rollout.start.instruction, "limits": {},
         "actions": list(rollout.start.actions), "simulator": rollout.start.simulator,
         "episode_fingerprint": rollout.start.fingerprint}
    ]  # fmt: skip
    for call, turn in enumerate(rollout.turns):
        for s in turn.steps:
            steps.append(
                {"event": "step", "call": call, "action_id": s.action_id, "action": s.action,
                 "valid": s.valid, "feedback": s.feedback, "reward": s.reward, "done": s.done,
                 "success": s.success, "progress": s.progress,
                 "goal_conditions": s.goal_conditions, "sim_seconds": 0.001}
            )  # fmt: skip
    steps.append({"event": "end", "ending": rollout.ending, "elapsed_s": 0.25})
    return first_record(
        task=record.task, id=record.id, cluster=record.cluster, category=record.category,
        completions=[completion(c.text) for c in record.completions()],
        answer=answer({"plan": list(verdict.answer.value.steps)}),
        score={"official": 1.0, "robust": 1.0, "parts": dict(verdict.parts)}, steps=steps,
    )  # fmt: skip


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ER_BENCH_HOME_RENDERER", "numpy")
        out = tmp_path_factory.mktemp("episode") / "r"
        return api.evaluate("reference/oracle", "home_rearrange", split="mini", limit=1, out=out)


def test_an_episode_is_read_step_by_step_and_judged_the_same(
    episode: api.Run, tmp_path: Path
) -> None:
    write_run(tmp_path / "old", first_manifest(episode.folder), [without_instruction(episode)])
    (record,) = read_records(tmp_path / "old")
    (made,) = episode.records
    assert record.rollout.start == made.rollout.start
    assert (record.rollout.ending, record.rollout.elapsed_s) == ("success", 0.25)
    taken = [[s.action_id for s in turn.steps] for turn in record.rollout.turns]
    assert taken == [[s.action_id for s in turn.steps] for turn in made.rollout.turns]
    assert record.rollout.turns[0].steps[0].goal_conditions == (
        made.rollout.turns[0].steps[0].goal_conditions
    )
    again = api.score(tmp_path / "old", out=tmp_path / "again")
    found = again.results.tasks["home_rearrange"]
    assert found.score == 1.0 and found.status == "complete"
    assert _episode_numbers(found.readings["official"].metrics) == _episode_numbers(
        episode.results.tasks["home_rearrange"].readings["official"].metrics
    )


def test_an_episode_of_several_plans_keeps_which_plan_took_which_step(
    episode: api.Run, tmp_path: Path
) -> None:
    old = without_instruction(episode)
    _, *taken, _ = old["steps"]
    plan = [{"action_id": s["action_id"], "action_name": s["action"]} for s in taken]

    def said(part: list[dict[str, object]]) -> Json:
        words = {"observation": "", "reasoning": "", "executable_plan": part}
        return completion(json.dumps(words))

    old["completions"] = [said(plan[:1]), completion("I cannot see."), said(plan[1:])]
    for k, step in enumerate(taken):
        step["call"] = 0 if k == 0 else 2
    write_run(tmp_path / "old", first_manifest(episode.folder), [old])
    (record,) = read_records(tmp_path / "old")
    assert [len(turn.steps) for turn in record.rollout.turns] == [1, 0, len(taken) - 1]
    again = api.score(tmp_path / "old", out=tmp_path / "again")
    found = again.results.tasks["home_rearrange"].readings["official"]
    assert (found.score, found.metrics["planner_steps"]) == (1.0, 3)
    assert found.metrics["planner_output_error"] == 1


def _episode_numbers(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if "seconds" not in name}
