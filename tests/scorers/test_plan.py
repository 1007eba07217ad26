"""Plans against true plans."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from er_bench.scorers.plan import PlanScore, score_plan

STEPS = [
    {"name": "pick", "params": {"target_entity_name": 2}},
    {"name": "place", "params": {"target_container_name": 5}},
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(VALUES, st.booleans())
def test_scoring_never_raises(plan, star):
    for found in (plan, [plan], [{"name": plan, "params": plan}]):
        assert 0 <= score_plan(STEPS, found, star=star).total <= 1


def test_over_generation_is_seen_though_the_recalls_are_full():
    doubled = score_plan(STEPS, STEPS * 2)
    assert (doubled.skill, doubled.entity, doubled.over_generation) == (1, 1, 0.5)
    assert score_plan(STEPS, STEPS).over_generation == 0
    assert score_plan(STEPS, []) == PlanScore()


def test_an_error_in_place_one_costs_place_two_its_predecessor():
    press = {"name": "press", "params": {"target_entity_name": 9}}
    truth, plan = [press, *STEPS, press], [STEPS[0], STEPS[1], *STEPS, press]
    assert score_plan(truth, plan).exact == pytest.approx(1 / 3)
    assert score_plan(truth, plan, star=True).exact == pytest.approx(2 / 3)
