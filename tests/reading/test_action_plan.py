"""Plans of action ids: the released reader, its repairs, and the robust one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from er_bench.reading.action_plan import (
    READERS,
    READERS_WITH_BOOLEANS,
    PlanReading,
    PlanStatus,
    json_to_action,
    read_repaired,
    read_robust,
    read_strict,
)
from er_bench.tasks.eb_alfred.task import EbAlfred
from er_bench.tasks.eb_habitat.task import EbHabitat

ACTIONS = ["find a Mug", "pick up the Mug", "find a Sink", "open the Fridge"]


def plan(*ids: object) -> str:
    return json.dumps({"executable_plan": [{"action_id": i, "action_name": "x"} for i in ids]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (plan(1, 3), ([1, 3], 0)),
        (plan(3), ([3], 0)),
        (plan(4), (-1, 0)),
        (plan(-1, 2), (-1, 0)),
        (plan(1, 2, 9, 3), ([1, 2], 0)),
        (plan(), (-2, 0)),
        ('{"executable_plan": ""}', (-2, 0)),
        ('{"executable_plan": {}}', (-2, 0)),
        (plan("1"), (-1, 1)),
        (plan(1, None), (-1, 1)),
        ('{"executable_plan": [{"id": 1}]}', (-1, 1)),
        ('{"executable_plan": {"action_id": 1}}', (-1, 1)),
        ('{"plan": []}', (-1, 1)),
        ("[]", (-1, 1)),
        ("", (-1, 1)),
        ("```json\n" + plan(1) + "\n```", (-1, 1)),
        (plan(1) + " trailing", (-1, 1)),
        (plan(True), ([True], 0)),
        (plan(1.5), ([1.5], 0)),
    ],
)
def test_the_released_reader(text: str, expected: tuple[object, int]) -> None:
    assert json_to_action(text, len(ACTIONS)) == expected


@pytest.mark.parametrize(
    ("text", "ids"), [(plan(True), ()), (plan(1, 2.0), (1,)), (plan(1, True, 2), (1,))]
)
def test_a_plan_ends_before_an_id_that_is_no_whole_number(text: str, ids: tuple[int, ...]) -> None:
    assert read_strict(text, ACTIONS).action_ids == ids


def test_the_repairs_of_the_released_internvl_path() -> None:
    single = "```json\n{'language_plan': 'go', 'executable_plan': [{'action_id': 2}]}\n```"
    assert read_strict(single, ACTIONS).status is PlanStatus.INVALID
    assert read_repaired(single, ACTIONS).action_ids == (2,)
    possessive = "{'language_plan': 'the robot's arm', 'executable_plan': [{'action_id': 2}]}"
    assert read_repaired(possessive, ACTIONS).action_ids == (2,)
    valid = json.dumps({"language_plan": "don't", "executable_plan": [{"action_id": 2}]})
    assert read_strict(valid, ACTIONS).action_ids == (2,)
    assert read_repaired(valid, ACTIONS).status is PlanStatus.INVALID  # damaged by the repair


@pytest.mark.parametrize(
    "text",
    [
        plan(2, 1),
        "Sure! Here is the plan:\n```json\n" + plan(2, 1) + "\n```\nGood luck.",
        "{'language_plan': 'it\\'s here', 'executable_plan': [{'action_id': 2}, {'action_id': 1}]}",
        plan("2", "1"),
        plan(2.0, 1),
        '{"a": "{", "executable_plan": [{"action_id": 2, "action_name": "x"}, {"action_id": 1, "a',
        '{"executable_plan": [\n{"action_id": 2, "action_name": "find"}\n{"action_id": 1}\n]}',
        '{"executable_plan": [2, 1]}',
        '{"executable_plan": [{"action_name": "find a Sink"}, {"action_id": 1}]}',
        'thinking about "executable_plan"... {"x": 1} ' + plan(2, 1),
        plan(2, 1, 99),
    ],
)
def test_the_robust_reader_reads_what_can_be_meant(text: str) -> None:
    assert read_robust(text, ACTIONS) == PlanReading(PlanStatus.OK, (2, 1))


def test_the_robust_reader_guesses_nothing() -> None:
    assert read_robust("I would find a Mug.", ACTIONS).status is PlanStatus.INVALID
    assert read_robust(plan(), ACTIONS).status is PlanStatus.EMPTY
    assert read_robust(plan(77, 1), ACTIONS).status is PlanStatus.INVALID
    assert read_robust(plan(True), ACTIONS).status is PlanStatus.INVALID


pieces = st.sampled_from(
    [
        '{"executable_plan": [',
        '{"action_id": ',
        "1",
        '"',
        "'",
        "}",
        "]",
        "{",
        ",",
        "```json",
        "é",
        "9" * 5000,
    ]
)


@given(st.one_of(st.text(), st.lists(pieces, max_size=30).map("".join)))
def test_no_reader_ever_raises_or_leaves_the_range(text: str) -> None:
    for read in READERS.values():
        found = read(text, ACTIONS)
        assert all(type(i) is int and 0 <= i < len(ACTIONS) for i in found.action_ids)
        assert bool(found.action_ids) == (found.status is PlanStatus.OK)


def test_deep_nesting_is_no_plan() -> None:
    text = '{"executable_plan": ' + "[" * 100_000
    assert [read(text, ACTIONS).status for read in READERS.values()] == [PlanStatus.INVALID] * 3


def test_true_and_false_are_ids_where_the_simulator_takes_them() -> None:
    habitat = READERS_WITH_BOOLEANS["strict"]
    assert habitat(plan(True, 2, False), ACTIONS).action_ids == (1, 2, 0)
    assert all(type(i) is int for i in habitat(plan(True), ACTIONS).action_ids)
    assert habitat(plan(1, 2.0), ACTIONS).action_ids == (1,)
    assert READERS_WITH_BOOLEANS["repaired"](plan(True), ACTIONS).action_ids == (1,)
    assert EbHabitat.takes_booleans and not EbAlfred.takes_booleans


@pytest.mark.parametrize(
    "text",
    [
        plan(0) + " no, better: " + plan(2, 1),
        plan(0) + '\n{"executable_plan": [{"action_id": 2}, {"action_id": 1}, {"act',
        plan(2, 1) + "\nThat is my executable_plan.",
        json.dumps({"executable_plan": ["find a Sink", "pick up the Mug"]}),
        json.dumps({"executable_plan": ["find a Sink", "pick up the Mug", "done"]}),
        plan("find a Sink", "pick up the Mug"),
        plan("find a Sink", 1),
        json.dumps({"a": {"b": 1}, "executable_plan": [{"action_id": 2}, 1], "c": {"d": 2}}),
        '{"done": false, "executable_plan": ["find a Sink", "pick up the Mug",],}',
        '{"done": true, "executable_plan": [{"action_name": "find a Sink"}\n{"action_id": 1}\n]}',
    ],
)
def test_the_last_plan_counts_and_names_are_found_wherever_they_stand(text: str) -> None:
    assert read_robust(text, ACTIONS) == PlanReading(PlanStatus.OK, (2, 1))
    if "find a Sink" in text:
        assert read_strict(text, ACTIONS) == PlanReading(PlanStatus.INVALID, output_error=True)


def test_a_plan_of_which_nothing_can_be_read_is_an_output_error() -> None:
    nothing = PlanReading(PlanStatus.INVALID, output_error=True)
    assert read_robust('{"executable_plan": ["dance", "find a Mug"]}', ACTIONS) == nothing
    assert read_robust(plan(77), ACTIONS) == PlanReading(PlanStatus.INVALID)


LINES = ['{"action_id": 2, "action_name": "find a Sink"}', '{"action_name": "pick up the Mug"}']


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(LINES),
        "```json\n" + ",\n".join(LINES) + ",\n```",
        f"[{', '.join(LINES)}]",
        f"[{', '.join(LINES)},]",
        '["find a Sink", "pick up the Mug"]',
        '{"action_id": 0} was my first thought.\n' + "\n".join(LINES),
    ],
)
def test_steps_without_a_plan_around_them_are_one(text: str) -> None:
    assert read_robust(text, ACTIONS) == PlanReading(PlanStatus.OK, (2, 1))


@pytest.mark.parametrize(
    "text",
    [
        '["find a Sink", "dance"]',
        f"[{LINES[0]}, {LINES[1]}",
        f"{LINES[0]}, {LINES[1]}]",
        LINES[0] + "\n" + LINES[1][:-1],
    ],
)
def test_steps_of_which_some_are_lost_are_no_plan(text: str) -> None:
    assert read_robust(text, ACTIONS).status is PlanStatus.INVALID
