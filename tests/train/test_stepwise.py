"""Chain-of-thought records: four steps asked for, answers checked, reasoning judged, resumable."""

import json

import pytest
from typer.testing import CliRunner

import er_bench.api  # noqa: F401 - it takes `open_model` by name, which is stood in for below
from er_bench.cli.main import app
from er_bench.core.completion import Completion
from er_bench.core.model import Model
from er_bench.core.prompt import Expect
from er_bench.core.sample import Image
from er_bench.train.data.records import read_meta
from er_bench.train.data.stepwise import request, thoughts_of, with_thoughts
from tests.judging import NAMES


class Thinker(Model):
    """Knows the truth of some samples, thinks aloud in others; says what it was asked."""

    concurrency = 2

    def __init__(self, thoughts="1. Task. 2. Scene. 3. Part. 4. Fine.", apart=False):
        self.name, self.asked, self.thoughts, self.apart = "thinker", [], thoughts, apart

    def identity(self):
        return {"name": self.name, "checkpoint": "org/thinker"}

    async def ask(self, prompt):
        raise AssertionError("it is asked about samples")

    def about(self, subject):
        async def ask(prompt):
            self.asked.append(prompt)
            number = int(subject.sample.id)
            reference = NAMES.reference(NAMES.open_mini("affordance"))
            text = reference.write(reference.ideal(subject.sample), subject.sample)
            answer = text.partition("</think>")[2]
            if number % 4 == 3:
                answer = '<output>{"x": 0, "y": 0, "width": 0.1, "height": 0.1}</output>'
            if number % 4 == 2:
                return Completion(answer, "stop")
            if self.apart:
                return Completion(answer, "stop", thoughts=self.thoughts)
            return Completion(f"<think>{self.thoughts}</think>{answer}", "stop")

        return ask


class Critic(Model):
    """Agrees with all but the first."""

    def __init__(self):
        self.name, self.asked = "critic", []

    def identity(self):
        return {"name": self.name}

    async def ask(self, prompt):
        self.asked.append(prompt)
        return Completion("No, the star is green." if len(self.asked) == 1 else "Yes. It fits.")


def make(monkeypatch, tmp_path, model, *words, judge=None):
    models = {"thinker": model, "critic": judge}
    monkeypatch.setattr(
        "er_bench.run.open_model.open_model", lambda registry, name, **more: models[name]
    )
    words = ["data", "make", "cot", "--task", "affordance", "--model", "thinker", "--split", "mini",
             "--limit", "8", "--out", str(tmp_path / "cot"), *words]  # fmt: skip
    return CliRunner().invoke(app, words)


def rows(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("apart", [False, True])
def test_good_answers_with_thoughts_become_records(monkeypatch, tmp_path, apart):
    model = Thinker(apart=apart)
    done = make(monkeypatch, tmp_path, model)
    assert done.exit_code == 0, done.output
    assert "4 records, 4 answers refused" in done.output
    assert all(p.text().endswith("and nothing else.") for p in model.asked)
    assert all("3. Affordance localisation" in p.text() for p in model.asked)
    (source,) = read_meta(tmp_path / "cot" / "meta.json")
    for k in range(4):
        asked, answered = source.record(k).messages
        assert "four numbered steps" not in asked.parts[0].text
        assert answered.parts[0].text.startswith("<think>1. Task. 2. Scene.")
        assert "</think><output>" in answered.parts[0].text
    told = rows(tmp_path / "cot" / "records.jsonl")[0]["provenance"]
    assert (told["model"], told["request"], told["reading"]) == ("thinker", "four steps", "robust")
    why = sorted(row["why"] for row in rows(tmp_path / "cot" / "rejected.jsonl"))
    assert [w.split(":")[0] for w in why[:2]] == ["0 is less than 0.8", "0 is less than 0.8"]
    assert why[2:] == ["no thoughts in <think>"] * 2


def test_a_judge_of_the_reasoning_is_asked_once_with_the_picture(monkeypatch, tmp_path):
    critic = Critic()
    done = make(monkeypatch, tmp_path, Thinker(), "--judge-model", "critic", judge=critic)
    assert "3 records, 5 answers refused" in done.output, done.output
    assert len(critic.asked) == 4
    for prompt in critic.asked:
        assert any(isinstance(part, Image) for part in prompt.parts())
        assert "1. Task. 2. Scene." in prompt.text() and "<output>" in prompt.text()
        assert "<think>" not in prompt.text()
    refused = [row["why"] for row in rows(tmp_path / "cot" / "rejected.jsonl")]
    assert "the judge of the reasoning: No, the star is green." in refused
    again = Critic()
    done = make(
        monkeypatch, tmp_path, Thinker(), "--judge-model", "critic", "--resume", judge=again
    )
    assert "3 records, 5 answers refused" in done.output, done.output
    assert not again.asked


def test_a_limit_stops_it_and_resume_goes_on(monkeypatch, tmp_path):
    class Costly(Thinker):
        def about(self, subject):
            ask = super().about(subject)

            async def costs(prompt):
                made = await ask(prompt)
                return Completion(made.text, "stop", tokens_in=100, tokens_out=50)

            return costs

    done = make(monkeypatch, tmp_path, Costly(), "--max-tokens", "400")
    assert "go on with a higher limit" in str(done.exception)
    model = Costly()
    done = make(monkeypatch, tmp_path, model, "--resume")
    assert "4 records, 4 answers refused" in done.output, done.output
    assert 0 < len(model.asked) < 8


def test_words():
    assert "Trajectory logic" in request(Expect.POINTS)
    assert request(Expect.LETTER).count("\n") == 5
    assert thoughts_of(Completion("<THINK> a </think> b")) == "a"
    assert thoughts_of(Completion("b", thoughts=" c ")) == "c"
    assert with_thoughts(Completion("b", thoughts=" c ")) == "<think>c</think>b"
    assert with_thoughts(Completion("b")) == "b"
