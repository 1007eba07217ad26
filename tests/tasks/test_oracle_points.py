"""The oracle scores 100% on every pointing task's mini split in every dialect that can say it."""

import asyncio
import shutil
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from er_bench.core.errors import DataError, UsageError
from er_bench.core.model import Subject
from er_bench.core.registry import Registry
from er_bench.core.rollout import Turn
from er_bench.core.score import Scored
from er_bench.data.media import image_size
from er_bench.run.open_model import open_model
from er_bench.run.preflight import inspect
from tests.judging import judge, open_task

NAMES = Registry()
POINTING = NAMES.select("pointing,grounding")


class Asking:
    def __init__(self, model, task, sample):
        self._answer = model.about(Subject(NAMES.reference(task), sample))

    async def ask(self, prompt):
        return Turn(await self._answer(prompt), prompt.sha256())


def run(task, kind):
    """Every sample of a task with what each reading makes of the model's answer."""
    model = open_model(NAMES, f"reference/{kind}", dialect=task.dialect.name)

    async def judged():
        return [
            (sample, task.judge(sample, await task.solve(sample, Asking(model, task, sample))))
            for sample in task.samples()
        ]

    return asyncio.run(judged())


@pytest.mark.parametrize("dialect", NAMES.dialect_names())
@pytest.mark.parametrize("name", POINTING)
def test_the_oracle_is_right_everywhere(name, dialect):
    task = NAMES.open_mini(name, dialect)
    try:
        judged = run(task, "oracle")
    except UsageError as error:
        assert "write no boxes" in str(error)
        return
    for reading in ("official", "robust"):
        verdicts = [(sample, judgement[reading]) for sample, judgement in judged]
        scored = [Scored(s.cluster, s.category, v.score, v.parts) for s, v in verdicts]
        assert task.readings[reading].aggregate(scored).score == 1
    for sample, judgement in judged:
        assert judgement["official"].score == 1, (sample.id, judgement["official"].answer)
        for reading in {"any_hit", "molmo_f1"} & set(task.readings):
            assert judgement[reading].score == pytest.approx(1)


@pytest.mark.parametrize("name", POINTING)
def test_mini_rows_are_whole(name):
    task = NAMES.open_mini(name)
    found = inspect(task, None)
    assert (found.missing, found.faults) == ({}, {})
    assert 24 <= found.n_rows <= 60
    truth = NAMES.reference(task)
    assert all(truth.objects(s) for s in task.samples())


@pytest.mark.parametrize("name", POINTING)
@pytest.mark.parametrize("kind", ["chance", "blind", "random-object"])
def test_reference_models_run_and_stay_below_the_oracle(name, kind):
    judged = run(NAMES.open_mini(name, "internvl_1000"), kind)
    assert sum(judgement["official"].score for _, judgement in judged) < 0.8 * len(judged)


PIECES = st.sampled_from(
    [
        "<point>",
        "</point>",
        "[[",
        "]]",
        "(",
        ")",
        "500",
        "0.5",
        "-1",
        ", ",
        "\n",
        "```json\n",
        "```",
    ]
)
OTHERS = st.sampled_from(['{"point": ', '"point_2d": [', '[{"box_2d": [', "}]", "NaN", "9" * 400])


@cache
def first_samples(name):
    """A task in every dialect in which it can be asked, each with its first sample."""
    tasks = [
        NAMES.open_mini(name, dialect)
        for dialect in NAMES.dialect_names()
        if name != "roborefit" or getattr(NAMES.dialect(dialect), "box_template", "own")
    ]
    return [(task, next(iter(task.samples()))) for task in tasks]


@pytest.mark.parametrize("name", POINTING)
@given(text=st.text() | st.lists(PIECES | OTHERS, max_size=40).map("".join))
@settings(max_examples=40)
def test_no_answer_makes_a_task_raise_or_leave_the_scale(name, text):
    for task, sample in first_samples(name):
        judged = judge(task, text, sample, sizes=(task.size_wh(sample),))
        assert judged["robust"].score is not None
        assert all(v.score is None or 0 <= v.score <= 1 for v in judged.values())


def test_an_empty_mask_is_a_data_error(tmp_path):
    for name in ("pointarena", "refspatial", "where2place"):
        folder = shutil.copytree(NAMES.mini_root(name), tmp_path / name)
        for mask in [*folder.rglob("*mask*/*.png"), *folder.rglob("masks/*.jpg")]:
            Image.new("L", image_size(mask)).save(mask)
        truth = NAMES.reference(open_task(name, folder))
        with pytest.raises(DataError, match="the mask is empty"):
            truth.ideal(next(truth.samples()))
