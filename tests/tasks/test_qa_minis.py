"""What holds for the mini split of every question-answering and planning task."""

import json
from collections import Counter
from pathlib import Path

import pytest

from er_bench.core.answer import Status
from er_bench.core.registry import Registry
from er_bench.core.sample import Image, Video
from tests.judging import judge, open_task, scored

REGISTRY = Registry()
TASKS = ("erqa", "egoplan2", "vsibench", "mmsibench", "vlabench", "blink", "cv_bench", "embspatial",
         "mindcube", "sat")  # fmt: skip
PROTOCOLS = [(name, p) for name in TASKS for p in REGISTRY.task_card(name).protocols]


def open_mini(name, protocol=None):
    return open_task(name, REGISTRY.mini_root(name), protocol)


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
def test_the_truth_scores_100_percent_in_both_readings(name, protocol):
    task = open_mini(name, protocol)
    truth = REGISTRY.reference(task)
    answers = [(sample, truth.write(truth.ideal(sample), sample)) for sample in task.samples()]
    for sample, text in answers:
        assert {v.answer.status for v in judge(task, text, sample).values()} == {Status.OK}
    for reading in ("official", "robust"):
        made = task.readings[reading].aggregate(scored(task, answers, reading))
        assert made.score == pytest.approx(1)


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
def test_samples_are_the_same_on_every_pass_and_their_media_are_there(name, protocol):
    task = open_mini(name, protocol)
    first, second = (list(task.samples()) for _ in range(2))
    assert len({sample.id for sample in first}) == len(first)
    for a, b in zip(first, second, strict=True):
        assert task.prompt(a).sha256() == task.prompt(b).sha256()
        assert json.dumps(task.truth_identity(a)) == json.dumps(task.truth_identity(b))
        task.check(a)
        media = list(task.media(a))
        assert media
        assert not any(m.missing() if not isinstance(m, Path) else not m.is_file() for m in media)


@pytest.mark.parametrize("name", TASKS)
def test_sizes_and_balance(name):
    root, task = REGISTRY.mini_root(name), open_mini(name)
    truth = REGISTRY.reference(task)
    samples = list(task.samples())
    assert 24 <= len(samples) <= 60
    assert sum(f.stat().st_size for f in root.rglob("*") if f.is_file()) < 10**6
    four_way = Counter(truth.ideal(s) for s in samples if len(truth.letters(s)) == 4)
    if four_way:
        assert max(four_way.values()) - min(four_way.values()) <= 1
    categories = task.card.dataset.categories
    assert not categories or {s.category for s in samples} == set(categories)


@pytest.mark.parametrize("name", TASKS)
def test_prompts_hold_the_media_in_place(name):
    task = open_mini(name)
    for sample in task.samples():
        parts = list(task.prompt(sample).parts())
        assert parts == list(sample.parts)
        assert any(isinstance(part, (Image, Video)) for part in parts)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("text", ["", "<think>", "nan", "A" * 10000, "I cannot help with that."])
def test_any_answer_is_judged(name, text):
    task = open_mini(name)
    for sample in list(task.samples())[::10]:
        assert all(0 <= verdict.score <= 1 for verdict in judge(task, text, sample).values())


@pytest.mark.parametrize("name", TASKS)
def test_the_readme_says_what_must_be_said(name):
    text = (REGISTRY.mini_root(name).parent / "README.md").read_text()
    for heading in ("Data", "Prompt", "Rule", "Departures", "Known faults", "Mini split"):
        assert f"## {heading}" in text
