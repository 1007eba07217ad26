"""The adapters for other trainers, called as those trainers call them."""

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "rewards"
BOX = "<box>[[0, 0, 1000, 1000]]</box>"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def choice(monkeypatch):
    monkeypatch.setenv("ER_BENCH_TASKS", "affordance")
    monkeypatch.setenv("ER_BENCH_SPLIT", "mini")
    monkeypatch.setenv("ER_BENCH_READING", "robust.acc@0.25")


def test_verl(choice):
    compute_score = load("verl_reward").compute_score
    about = {"task": "affordance", "id": "0"}
    region = '<output>{"x": 0.43, "y": 0.525, "width": 0.1, "height": 0.18}</output>'
    assert compute_score("custom", region, "", about) == 1
    assert compute_score("custom", "no", "", about, split="train") == 0


def test_easyr1():
    compute_score = load("easyr1_reward").compute_score
    rows = [{"response": BOX, "ground_truth": "affordance/0"},
            {"response": "no", "ground_truth": "trajectory/3"}]  # fmt: skip
    found = compute_score(rows, split="mini", dialect="internvl_1000")
    assert 0 < found[0]["overall"] < 0.1
    assert found[1] == {"overall": 0.0}


def test_swift(choice):
    module = load("swift_reward")
    made = module.orms["er_bench"]()
    assert made(["no", BOX], task=["affordance", "erqa"], id=["1", "2"], step=[1, 1]) == [0.0, 0.0]
