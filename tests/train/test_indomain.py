"""The data engine: `er-bench data make indomain`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from er_bench.cli.main import app
from er_bench.core.completion import Completion
from er_bench.core.errors import ModelError
from er_bench.core.model import Model
from er_bench.data.robot_episodes.episode import Track
from er_bench.data.robot_episodes.lerobot_write import write_lerobot
from er_bench.train.data.demonstrations import PLACE
from er_bench.train.data.pair_reading import BOX_SUFFIX, POINT_SUFFIX, read_pair, read_score
from er_bench.train.data.records import read_meta
from tests.robot_episodes import episode


def place(n: int, x: float, z: float, x_px: float, seen: int = 1, told: int = 1) -> Track:
    return Track(np.tile(np.array([x, 0.5, z, x_px, 12.0, seen, told]), (n, 1)), PLACE)


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demos") / "demos"
    tracks = [
        {
            "truth_place.gripper": place(6, 0.0, 0.2, 32.0),
            "truth_place.red_puck": place(6, 0.1, 0.0, 48.0),
            "truth_place.drawer": place(6, 0.5, 0.2, 60.0, seen, told),
        }
        for seen, told in ((1, 1), (0, 1), (1, 0))
    ]
    made = [episode(k, 6, tracks=t) for k, t in enumerate(tracks)]
    write_lerobot(out, made, pictures="image")
    return out


class Fake(Model):
    concurrency = 2

    def __init__(self, name: str, answer: Any) -> None:
        self.name, self.answer, self.asked = name, answer, []

    async def ask(self, prompt: Any) -> Completion:
        self.asked.append(prompt)
        said = self.answer(prompt)
        if isinstance(said, Exception):
            raise said
        return Completion(said, "stop", 100, 10, image_sizes=((128, 96),))

    def identity(self) -> dict[str, Any]:
        return {"name": self.name}


def make(demos: Path, out: Path, *words: object) -> Result:
    fixed = ["data", "make", "indomain", "--episodes", demos, "--out", out, "--frames", 2]
    return CliRunner().invoke(app, [str(w) for w in (*fixed, *words)])


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_what_the_simulator_knows_needs_no_model(demos: Path, tmp_path: Path) -> None:
    done = make(demos, tmp_path / "out")
    assert done.exit_code == 0, done.output
    points = rows(tmp_path / "out/true_grounding.jsonl")
    said = {r["provenance"]["about"]: r["conversations"][1]["value"] for r in points}
    assert said == {
        "gripper": "<point>[[500, 250]]</point>",
        "red puck": "<point>[[750, 250]]</point>",
        "drawer": "<point>[[938, 250]]</point>",
    }
    drawers = [r for r in points if r["provenance"]["about"] == "drawer"]
    assert {r["provenance"]["episode"] for r in drawers} == {0}, "unseen or untold: not asked"
    spatial = rows(tmp_path / "out/true_spatial.jsonl")
    first = {
        r["provenance"]["about"]: r["conversations"][1]["value"]
        for r in spatial
        if r["provenance"]["episode"] == 0
    }
    assert first["gripper, red puck: side"] == "left"
    assert first["red puck: height"] == "higher" and "drawer: height" not in first
    assert first["red puck: distance"] == "22" and first["drawer: distance"] == "50"
    assert first["drawer, red puck: nearer"] == "red puck"
    general = rows(tmp_path / "out/true_general.jsonl")
    told = {
        (r["provenance"]["step"], r["provenance"]["about"]): r["conversations"][1]["value"]
        for r in general
        if r["provenance"]["episode"] == 0
    }
    assert told[0, "things"] == "drawer, gripper, red puck"
    assert (told[0, "stage"], told[5, "stage"]) == ("beginning", "end")
    assert told[0, "instruction"] == general[0]["provenance"]["instruction"]
    sources = read_meta(tmp_path / "out/meta.json")
    assert [s.name for s in sources] == ["true_general", "true_grounding", "true_spatial"]
    for source in sources:
        for k in range(len(source.offsets)):
            asked, answered = source.record(k).messages
            assert [asked.role, answered.role] == ["user", "assistant"]


def answers(prompt: Any) -> str:
    text = prompt.text()
    if "points as (x, y)" in text:
        return "Question: Where is the puck?\nAnswer: At (64, 48)."
    if "about space" in text:
        return "I cannot see it."
    return "Question: What is it?\nAnswer: A puck\nthat is red."


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, Fake]:
    found = {"maker": Fake("maker", answers), "judge": Fake("judge", lambda prompt: "3")}
    monkeypatch.setattr(
        "er_bench.run.open_model.open_model", lambda registry, name, **more: found[name]
    )
    return found


def test_pairs_are_made_judged_and_kept_with_their_provenance(
    demos: Path, tmp_path: Path, models: dict[str, Fake]
) -> None:
    models["judge"].answer = lambda p: "Score: 1" if "What is it?" in p.text() else "3"
    out = tmp_path / "out"
    done = make(demos, out, "--model", "maker", "--judge", "judge")
    assert done.exit_code == 0, done.output
    grounded = rows(out / "asked_grounding.jsonl")
    assert len(grounded) == 6 and not (out / "asked_general.jsonl").exists()
    asked, answered = (turn["value"] for turn in grounded[0]["conversations"])
    assert asked == f"<image>\nWhere is the puck? {POINT_SUFFIX}"
    assert answered == "<point>[[500, 500]]</point>", "of 128 x 96, which the model saw"
    told = grounded[0]["provenance"]
    assert (told["answer_by"], told["judge"], told["score"]) == ("maker", "judge", 3)
    assert (told["episodes"], told["instruction"]) == ("demos", "Push block 0.")
    why = [row["why"] for row in rows(out / "rejected.jsonl")]
    assert sorted(set(why)) == ["no question and answer in it", "the judge's score is 1"]
    assert len(why) == 12
    assert len(models["judge"].asked) == 12, "what could not be read is not judged"
    before = (out / "asked_grounding.jsonl").read_text()
    refused = make(demos, out, "--model", "maker", "--judge", "judge")
    assert "--resume goes on in it" in str(refused.exception)
    models["maker"].asked.clear()
    make(demos, out, "--model", "maker", "--judge", "judge", "--resume")
    assert not models["maker"].asked and (out / "asked_grounding.jsonl").read_text() == before


def test_a_limit_stops_it_and_resume_goes_on(
    demos: Path, tmp_path: Path, models: dict[str, Fake]
) -> None:
    out = tmp_path / "out"
    done = make(demos, out, "--model", "maker", "--kinds", "general", "--max-tokens", 400)
    assert "--max-tokens 400: 440 tokens are spent" in str(done.exception)
    assert len(rows(out / "said.jsonl")) == 4
    done = make(demos, out, "--model", "maker", "--kinds", "general", "--resume")
    assert done.exit_code == 0 and len(models["maker"].asked) == 6
    assert len(rows(out / "asked_general.jsonl")) == 6


def test_a_request_that_failed_is_asked_again(
    demos: Path, tmp_path: Path, models: dict[str, Fake]
) -> None:
    broken = [ModelError("the server went away")]
    models["maker"].answer = lambda p: broken.pop() if broken else answers(p)
    words = ("--model", "maker", "--kinds", "general")
    done = make(demos, tmp_path / "out", *words)
    assert "1 requests failed, the first: the server went away" in str(done.exception)
    assert len(rows(tmp_path / "out/asked_general.jsonl")) == 5
    done = make(demos, tmp_path / "out", *words, "--resume")
    assert done.exit_code == 0 and len(rows(tmp_path / "out/asked_general.jsonl")) == 6


@pytest.mark.parametrize(
    ("answer", "sent", "official"),
    [
        ("(64, 24)", "<point>[[500, 250]]</point>", "<point>[[1000, 500]]</point>"),
        ("at 0.5, 0.25", "<point>[[500, 250]]</point>", "<point>[[500, 250]]</point>"),
        ("(64, 24), (999, 5)", "[[500, 250], [1000, 52]]", "[[1000, 500], [1000, 104]]"),
        ("box 0, 0, 64, 48", "<box>[[0, 0, 500, 500]]</box>", "<box>[[0, 0, 1000, 1000]]</box>"),
        ("[32, 24, 64, 48]", "<box>[[250, 250, 500, 500]]", "<box>[[500, 500, 1000, 1000]]"),
    ],
)
def test_pixels_are_of_the_picture_that_the_model_saw(
    answer: str, sent: str, official: str
) -> None:
    text = f"Question: Where?\nAnswer: {answer}"
    assert sent in read_pair(text, "grounding", "sent", (64, 48), (128, 96)).answer
    assert official in read_pair(text, "grounding", "official", (64, 48), (128, 96)).answer


def test_what_the_released_code_lets_pass_is_refused_but_by_its_rule() -> None:
    wh = (64, 48)
    for text, why in (
        ("It is there.", "no question and answer"),
        ("Question: Where?\nAnswer: there", "no coordinates"),
        ("Question: Where?\nAnswer: [9, 9, 5, 20]", "a box without a width"),
    ):
        assert why in read_pair(text, "grounding", "sent", wh, wh).why_not
        assert read_pair(text, "grounding", "official", wh, wh).answer
    both = read_pair("Question: Q?\nAnswer: (1, 2) [1, 2, 3, 4]", "grounding", "official", wh, wh)
    assert both.question == f"Q? {POINT_SUFFIX} {BOX_SUFFIX}" and "<box>" in both.answer
    one = read_pair("Question: Q?\nAnswer: (1, 2) [1, 2, 3, 4]", "grounding", "sent", wh, wh)
    assert one.question == f"Q? {BOX_SUFFIX}"


@pytest.mark.parametrize(
    ("said", "sent", "official"),
    [("3", 3, 3), ("Score: 2.", 2, 2), ("good", None, 3), ("poor", None, 1), ("10", None, 1),
     ("?", None, 2)],
)  # fmt: skip
def test_scores(said: str, sent: int | None, official: int) -> None:
    assert (read_score(said, "sent"), read_score(said, "official")) == (sent, official)
