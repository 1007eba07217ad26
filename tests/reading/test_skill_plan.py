"""Plans of skills: the released reader and the tolerant one."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from er_bench.core.answer import Plan, Status
from er_bench.reading.skill_plan import read_fenced_plan, read_plan

STEPS = [
    {"name": "pick", "params": {"target_entity_name": 2}},
    {"name": "place", "params": {"target_container_name": 5}},
]
JSON = json.dumps(STEPS)


@pytest.mark.parametrize(
    "text",
    [
        JSON,
        f"```json\n{JSON}\n```",
        f"```\n{JSON}\n```",
        f"Here you are: {JSON}. Done.",
        f'{{"skill_sequence": {JSON}}}',
        f'First I thought [{{"name": "press", "params": {{}}}}], but it is\n```json\n{JSON}\n```',
        f"<think>[]</think>{JSON}",
        JSON.replace("2", '"2"').replace("pick", "Pick"),
    ],
)
def test_the_tolerant_reader_reads_the_plan_however_it_is_wrapped(text):
    assert read_plan(text).value == Plan(tuple(STEPS))


def test_a_step_without_params_has_none():
    assert read_plan('[{"name": "open door"}]').value == Plan(
        ({"name": "open_door", "params": {}},)
    )


@pytest.mark.parametrize(
    "text",
    ["", "pick 2, place 5", "[1, 2]", '[{"skill": "pick"}]', "```json\n[{]```", f"<think>{JSON}"],
)
def test_no_list_of_steps_is_unparsed(text):
    assert read_plan(text).status is Status.UNPARSED


def test_the_official_reader_wants_a_fence_and_reads_the_first():
    assert read_fenced_plan(JSON).status is Status.UNPARSED
    assert read_fenced_plan("```json\n{}\n```").status is Status.UNPARSED
    assert read_fenced_plan(f"```json\n{JSON}\n``` ```json\n[]\n```").value == Plan(tuple(STEPS))


NESTED = st.sampled_from(
    ["[" * 3000, '[{"name":' * 500, '```json\n[{"name": NaN}]```', '{"' * 4000]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.one_of(
        st.text(), NESTED, VALUES.map(json.dumps), VALUES.map(json.dumps).map("```json{}".format)
    )
)
def test_readers_never_raise(text):
    for answer in (read_plan(text), read_fenced_plan(text), read_fenced_plan("```json" + text)):
        assert answer.value is None or isinstance(answer.value, Plan)


@pytest.mark.parametrize(
    "text",
    [
        JSON[:-1] + ",]",
        JSON.replace("}", ",}"),
        str(STEPS),
        "\n".join(map(json.dumps, STEPS)),
        f"```json\n{json.dumps(STEPS[0])},\n{json.dumps(STEPS[1])}\n```",
        json.dumps(STEPS[1]) + " was my first thought. Better:\n" + JSON[:-1] + ",\n]",
    ],
)
def test_steps_side_by_side_are_a_whole_plan(text):
    assert read_plan(text).value == Plan(tuple(STEPS))


@pytest.mark.parametrize(
    "text", [JSON[:-1], JSON[:60], "[{]," + json.dumps(STEPS[1]) + "]", JSON[1:]]
)
def test_a_list_that_lost_steps_is_no_plan(text):
    assert read_plan(text).status is Status.UNPARSED
