"""The oracle scores 100% on every pointing task's mini split in every dialect that can say it."""

import asyncio
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from er_bench.core.completion import Completion
from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import DataError, UsageError
from er_bench.core.model import ModelSettings
from er_bench.core.prompt import Decoding
from er_bench.core.registry import Registry
from er_bench.core.task import Scored
from er_bench.data.media import image_size
from er_bench.models.dialects import DIALECTS
from er_bench.models.reference import build
from er_bench.run.preflight import inspect

NAMES = Registry()
POINTING = NAMES.select("pointing,grounding")


class Asking:
    def __init__(self, model, task, sample):
        self.dialect, self._answer = model.dialect, model.bind(task, sample, 0)

    async def __call__(self, prompt):
        return await self._answer(prompt)


def reference(kind, dialect):
    settings = ModelSettings(f"reference/{kind}", kind, None, dialect, Decoding(), Decoding(), {})
    return build(settings)


def run(task, kind, dialect):
    model = reference(kind, dialect)

    async def outcomes():
        return [await task.solve(s, Asking(model, task, s)) for s in task.samples()]

    return asyncio.run(outcomes())


@pytest.mark.parametrize("dialect", [BENCHMARK, *DIALECTS.values()], ids=lambda d: d.name)
@pytest.mark.parametrize("name", POINTING)
def test_the_oracle_is_right_everywhere(name, dialect):
    task = NAMES.open_task(name, NAMES.mini_root(name))
    try:
        outcomes = run(task, "oracle", dialect)
    except UsageError as error:
        assert "write no boxes" in str(error)
        return
    scored = [Scored(o.cluster, o.category, o.score) for o in outcomes]
    assert task.aggregate(scored).score == 1
    assert task.aggregate(scored, "robust").score == 1
    for outcome in outcomes:
        assert outcome.score.official == 1, (outcome.id, outcome.official_answer)


@pytest.mark.parametrize("name", POINTING)
def test_mini_rows_are_whole(name):
    task = NAMES.open_task(name, NAMES.mini_root(name))
    found = inspect(task, BENCHMARK, None, media=True)
    assert (found.missing, found.faults) == ({}, {})
    assert 24 <= found.n_rows <= 60
    assert all(task.objects(s) for s in task.samples())


@pytest.mark.parametrize("name", POINTING)
@pytest.mark.parametrize("kind", ["chance", "blind", "random-object"])
def test_reference_models_run_and_stay_below_the_oracle(name, kind):
    task = NAMES.open_task(name, NAMES.mini_root(name))
    outcomes = run(task, kind, DIALECTS["internvl_1000"])
    assert sum(o.score.official for o in outcomes) < 0.8 * len(outcomes)


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


@pytest.mark.parametrize("name", POINTING)
@given(text=st.text() | st.lists(PIECES | OTHERS, max_size=40).map("".join))
@settings(max_examples=40)
def test_no_answer_makes_a_task_raise_or_leave_the_scale(name, text):
    task = NAMES.open_task(name, NAMES.mini_root(name))
    sample = next(iter(task.samples()))
    for dialect in (BENCHMARK, *DIALECTS.values()):
        if task.name == "roborefit" and not getattr(dialect, "box_template", "own"):
            continue
        size = task.size_wh(sample)
        score = task.judge(sample, Completion(text, image_sizes=(size,)), dialect).score
        assert score.official is None or 0 <= score.official <= 1
        assert 0 <= score.robust <= 1


def test_an_empty_mask_is_a_data_error(tmp_path):
    for name in ("pointarena", "refspatial", "where2place"):
        folder = shutil.copytree(NAMES.mini_root(name), tmp_path / name)
        for mask in [*folder.rglob("*mask*/*.png"), *folder.rglob("masks/*.jpg")]:
            Image.new("L", image_size(mask)).save(mask)
        task = NAMES.open_task(name, folder)
        with pytest.raises(DataError, match="the mask is empty"):
            task.ideal(next(iter(task.samples())))
