"""Records: what each holds, that it comes back as it was, and that it fits the committed schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

import er_bench as api
from er_bench.core.answer import Answer, Boxes, Plan, Points, Status
from er_bench.core.completion import Completion
from er_bench.core.geometry import Unit
from er_bench.core.record import Record, RecordStatus, Truth
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.rollout import EpisodeStart, Rollout, Step, Turn
from er_bench.core.sample import MediaRef
from er_bench.core.score import Verdict
from er_bench.core.task import QuestionTask
from er_bench.data.run_folder import StoredPrompt, read_prompts
from er_bench.report.results import read_results
from er_bench.run.runner import make_record
from er_bench.tasks.base.home import HomeTask
from tests.chat import ChatServer, completion
from tests.conftest import Command

NAMES = Registry()
DOCS = Path(api.__file__).parent.parent / "docs"
QUESTIONS = [
    name
    for name, folder in NAMES.task_folders.items()
    if (folder / "mini").is_dir() and isinstance(NAMES.open_mini(name), QuestionTask)
]
HOMES = ["home_alfred", "home_rearrange"]
TRACES = ("sharerobot_trajectory", "trajectory", "vabench_visual")
CHOICES = {"erqa", "egoplan2", "mmsibench"}
"""Their every question has lettered options."""

# Any record.

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.floats(allow_nan=False)
POINT = st.tuples(NUMBER, NUMBER)
BOX = st.tuples(NUMBER, NUMBER, NUMBER, NUMBER)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


def few(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(inner, max_size=3).map(tuple)


MEDIUM = st.builds(
    MediaRef,
    file=TEXT,
    base=st.sampled_from(["data", "run"]),
    row=st.none() | st.integers(0, 9),
    field=TEXT,
    item=st.none() | st.integers(0, 9),
    member=TEXT,
)
VALUE = (
    TEXT
    | NUMBER
    | st.builds(Points, few(POINT), st.sampled_from(Unit))
    | st.builds(Boxes, few(BOX), st.sampled_from(Unit))
    | st.builds(Plan, few(JSON))
)
VERDICT = st.builds(
    Verdict,
    st.builds(Answer, st.none() | VALUE, st.sampled_from(Status), TEXT),
    st.none() | NUMBER,
    st.dictionaries(TEXT, NUMBER, max_size=2),
    TEXT,
    few(POINT),
    few(BOX),
)
STEP = st.builds(
    Step,
    TEXT,
    st.integers(0, 99),
    st.booleans(),
    TEXT,
    st.booleans(),
    NUMBER,
    st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.none() | NUMBER,
    st.booleans(),
    NUMBER,
)
COMPLETION = st.builds(
    Completion,
    TEXT,
    st.none() | TEXT,
    st.none() | st.integers(0, 9999),
    st.none() | st.integers(0, 9999),
    NUMBER,
    few(st.tuples(st.integers(1, 9999), st.integers(1, 9999))),
    st.booleans(),
)
ROLLOUT = st.builds(
    Rollout,
    few(st.builds(Turn, COMPLETION, TEXT, few(MEDIUM), few(STEP))),
    st.none() | st.builds(EpisodeStart, TEXT, few(TEXT), TEXT, TEXT),
    TEXT,
    st.none() | NUMBER,
)
TRUTH = st.builds(Truth, TEXT, few(POINT), few(BOX), few(few(NUMBER)), st.none() | MEDIUM)
RECORD = st.builds(
    Record,
    task=TEXT,
    id=TEXT,
    repeat=st.integers(0, 9),
    cluster=TEXT,
    category=TEXT,
    status=st.sampled_from(RecordStatus),
    error=TEXT,
    question=TEXT,
    options=st.dictionaries(TEXT, TEXT, max_size=2),
    truth=TRUTH,
    media=few(MEDIUM),
    rollout=ROLLOUT,
    judgement=st.dictionaries(TEXT, VERDICT, max_size=2),
    seconds=st.floats(0, 1e9),
)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads((DOCS / "records.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@given(record=RECORD)
def test_any_record_is_one_line_that_comes_back_as_it_was(
    record: Record, validator: jsonschema.Draft202012Validator
) -> None:
    line = record.to_line()
    assert line.encode().count(b"\n") == 1 and line.endswith("\n")
    again = Record.model_validate_json(line)
    assert again == record
    assert again.to_line() == line
    for name, verdict in record.judgement.items():
        assert type(again.judgement[name].answer.value) is type(verdict.answer.value)
    validator.validate(json.loads(line))


@pytest.mark.parametrize(
    "damage", [{"task": 3}, {"status": "done"}, {"questoin": "x"}, {"rollout": {"turns": [{}]}}]
)
def test_what_is_no_record_does_not_fit_the_schema(
    damage: dict[str, object], validator: jsonschema.Draft202012Validator
) -> None:
    whole = {"task": "t", "id": "i", "cluster": "c", "category": "k", "status": "scored"}
    validator.validate(whole)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(whole | damage)


# What models write.

BIG = "9" * 400
HARD = [
    "", "nan", "-inf", "1e999", BIG, "A\u0000", "\ud83d", "The answer is 1e999.",
    "(1e999, 5)", f"[({BIG}, 5)]", "[[1e999, 2, 3, 4]]", f'<point x="{BIG}" y="5">a</point>',
    f'<points x1="1e999" y1="{BIG}" alt="a">a</points>', f"<box>[[{BIG}, 1, 2, 3]]</box>",
    '[{"point_2d": [1e999, NaN]}]', '```json\n[{"name": "pick", "params": {"a": Infinity}}]\n```',
    f'```json\n[{{"name": "pick", "params": {{"a": {BIG}}}}}]\n```',
]  # fmt: skip
"""Numbers that no float holds, characters that no file holds."""


@pytest.mark.parametrize("name", QUESTIONS)
def test_whatever_a_model_writes_its_record_comes_back(name: str) -> None:
    for protocol in NAMES.task_card(name).protocols:
        for dialect in NAMES.dialect_names():
            task = NAMES.open_task(TaskSpec(name, NAMES.mini_root(name), protocol, dialect))
            assert isinstance(task, QuestionTask)
            sample = next(iter(task.samples()))
            for text in HARD:
                answered = Rollout.answered(Completion(text, image_sizes=((64, 48),)))
                judgement = task.judge(sample, answered)
                record = make_record(task, sample, (task.label, "x", 0), answered, judgement)
                if text != "\ud83d":  # which a run replaces before it judges
                    assert Record.model_validate_json(record.to_line()) == record


def test_half_a_character_from_a_server_does_not_end_the_run(
    er_bench: Command, toy_path: Path, tmp_path: Path, chat_server: ChatServer
) -> None:
    async def cut(body: dict[str, Any], call: int) -> web.StreamResponse:
        return completion("A \ud83d" if call % 2 else "A \ud83d\ude00", "length")

    chat_server.behave = cut
    done = er_bench("run", "--model", "openai/x", "--tasks", "toy", "--include-path", toy_path,
                    "--model-args", f"base_url={chat_server.url}", "--out", "r")  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = api.load_run(tmp_path / "r")
    assert run.results.tasks["toy"].n_scored == 24
    texts = {record.rollout.completion.text for record in run.records}
    assert texts == {"A \ufffd", "A \U0001f600"}
    again = api.score(run.folder, out=tmp_path / "s", include=[toy_path])
    assert again.results.tasks["toy"].score == run.results.tasks["toy"].score


def test_half_a_character_in_answers_made_elsewhere_is_judged_as_well(
    er_bench: Command, toy_path: Path, tmp_path: Path
) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(f'{{"id": "q{k}", "response": "A\\ud83d"}}\n' for k in range(24)))
    done = er_bench("score", "--task", "toy", "--responses", file, "--include-path", toy_path,
                    "--out", "s")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read_results(tmp_path / "s").tasks["toy"].robust_score == 0.25


# Every task's.


@dataclass(frozen=True)
class Made:
    run: api.Run
    records: dict[str, list[Record]]
    prompts: dict[str, StoredPrompt]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """The truth on every mini split, and two episodes of each home."""
    folder = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ER_BENCH_HOME_RENDERER", "numpy")
        patch.setattr(HomeTask, "resolution_px", 24)
        runs = [
            api.evaluate("reference/oracle", QUESTIONS, split="mini", out=folder / "questions"),
            api.evaluate("reference/oracle", HOMES, split="mini", limit=2, out=folder / "homes"),
        ]
    records: dict[str, list[Record]] = {}
    for record in (record for run in runs for record in run.records):
        records.setdefault(record.task, []).append(record)
    prompts = {p.sha256: p for run in runs for p in read_prompts(run.folder)}
    yield Made(runs[0], records, prompts)


def test_every_mini_split_has_records(made: Made) -> None:
    assert set(made.records) == {*QUESTIONS, *HOMES} and len(made.records) >= 12


@pytest.mark.parametrize("name", [*QUESTIONS, *HOMES])
def test_every_record_of_a_run_fits_the_schema(
    name: str, made: Made, validator: jsonschema.Draft202012Validator
) -> None:
    for record in made.records[name]:
        validator.validate(json.loads(record.to_line()))


@pytest.mark.parametrize("name", [*QUESTIONS, *HOMES])
def test_every_record_says_what_was_asked_and_what_is_true(name: str, made: Made) -> None:
    for record in made.records[name]:
        assert record.status is RecordStatus.SCORED and record.question.strip()
        best: Any = 0.0 if name in TRACES else 1.0
        if name in ("affordance", *TRACES):  # measures, of six written digits
            best = pytest.approx(best, abs=1e-4)
        assert record.judgement["official"].score == best
        truth = record.truth
        assert truth != Truth(), "the truth in one form at least"
        if name in CHOICES:
            assert len(record.options) >= 2
        if record.options:
            assert truth.text in record.options and all(map(str.strip, record.options.values()))
            assert all(text in record.question for text in record.options.values())
        assert truth.mask is None or not Path(truth.mask.file).is_absolute()


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_names_its_media_and_they_are_there(name: str, made: Made) -> None:
    for record in made.records[name]:
        assert record.media and record.rollout.turns[0].media == record.media
        for ref in {*record.media, *([record.truth.mask] if record.truth.mask else [])}:
            assert not Path(ref.file).is_absolute() and ref.base == "data"
        assert made.run.medium(record, record.media[0]).read()


@pytest.mark.parametrize("name", [*QUESTIONS, *HOMES])
def test_every_turn_s_prompt_is_kept_and_holds_the_question(name: str, made: Made) -> None:
    for record in made.records[name]:
        assert record.rollout.turns
        for turn in record.rollout.turns:
            prompt = made.prompts[turn.prompt_sha256]
            parts = [part for message in prompt.messages for part in message.parts]
            assert "".join(part.text or "" for part in parts).strip()
            shown = [part.medium for part in parts if part.medium is not None]
            assert shown == list(range(len(turn.media)))


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_kept_prompt_is_the_one_that_the_task_makes(name: str, made: Made) -> None:
    task = NAMES.open_mini(name)
    assert isinstance(task, QuestionTask)
    records = {record.id: record for record in made.records[name]}
    for sample in task.samples():
        (turn,) = records[sample.id].rollout.turns
        assert turn.prompt_sha256 == task.prompt_sha256(sample)
        kept = made.prompts[turn.prompt_sha256]
        said = [p.text for m in kept.messages for p in m.parts if p.medium is None]
        assert "\n".join(t or "" for t in said) == task.prompt(sample).text()


@pytest.mark.parametrize("name", HOMES)
def test_an_episode_says_where_it_began_and_what_was_done(name: str, made: Made) -> None:
    for record in made.records[name]:
        start = record.rollout.start
        assert start is not None and start.instruction and start.actions and start.simulator
        assert start.instruction in record.question
        steps = [step for turn in record.rollout.turns for step in turn.steps]
        assert steps and steps[-1].success and record.rollout.ending == "success"
        assert all(start.actions[step.action_id] == step.action for step in steps)
