import pytest

from er_bench.tasks.eb_habitat.domain import ACTIONS as OFFICIAL_ACTIONS
from er_bench.worlds.home.apartment import made_up
from er_bench.worlds.home.oracle_rearrange import plan
from er_bench.worlds.home.rearrange import (
    ACTIONS,
    FRIDGE,
    LEFT_DRAWER,
    RearrangeSkills,
    goal_conditions,
)
from er_bench.worlds.home.world import KINDS, Thing, World

DONE, FAILED = "Last action executed successfully", "Last action is invalid."


def flat(*things: tuple[str, str]) -> RearrangeSkills:
    """A flat with things `(id, receptacle)`; the kind is the id up to its bar."""
    room, furniture = made_up(0)
    world = World(room, furniture)
    for thing_id, receptacle in things:
        kind = KINDS[thing_id.split("|")[0]]
        spot = world.free_spots(receptacle)[0]
        world.things[thing_id] = Thing(thing_id, kind, kind.colours[0], receptacle, spot)
    return RearrangeSkills(world)


def do(skills: RearrangeSkills, *actions: str) -> str:
    feedback = ""
    for name in actions:
        _, feedback = skills.step(name)
    return feedback


def exists(category: str, *parts: object) -> dict[str, object]:
    inputs = [{"name": "X", "expr_type": category}]
    return {"expr_type": "AND", "quantifier": "EXISTS", "inputs": inputs, "sub_exprs": list(parts)}


def test_the_actions_are_the_official_ones():
    assert ACTIONS == OFFICIAL_ACTIONS


def test_feedback_to_the_letter():
    skills = flat(("lemon|01", "sofa"), ("ball|01", "sofa"))
    assert do(skills, "pick up the hammer") == FAILED + (
        " Robot cannot pick any object that is not near the robot. "
        "Navigate to other place to find the object."
    )
    assert do(skills, "place at the sofa") == FAILED + (
        " Robot cannot place any object when not holding something. "
        "Please pick the object before place it."
    )
    assert do(skills, "navigate to the sofa") == DONE + "."
    assert do(skills, "pick up the lemon") == DONE + " and you are holding lemon."
    assert do(skills, "pick up the ball") == FAILED + (
        " Robot cannot pick any object when holding something. "
        "Please place the object before picking something."
    )
    assert do(skills, "place at the refrigerator") == FAILED + (
        " Robot cannot place any object that is not near the robot. "
        "Navigate to other place to find the object."
    )
    assert do(skills, "place at the sofa") == DONE + " and you are holding nothing."
    assert do(skills, "open the refrigerator") == FAILED + (
        " Check whether the receptacle is already open or the robot is not near the receptacle."
    )
    told = do(skills, "navigate to the refrigerator push point", "open the refrigerator")
    assert told == DONE + " and now refrigerator is open."
    assert do(skills, "close the refrigerator") == DONE + " and now refrigerator is closed."
    assert do(skills, "close the refrigerator") == FAILED + (
        " Check whether the receptacle is already closed or the robot is not near the receptacle."
    )


def test_a_closed_drawer_keeps_its_content():
    skills = flat(("lemon|01", LEFT_DRAWER))
    do(skills, "navigate to the cabinet 7")
    assert do(skills, "pick up the lemon").startswith(FAILED)
    assert do(skills, "open the cabinet 7") == DONE + " and now cabinet 7 is open."
    assert do(skills, "pick up the lemon") == DONE + " and you are holding lemon."


def test_a_failed_action_changes_elsewhere():
    skills = flat(("lemon|01", "sofa"))
    before = skills.world.to_json()
    do(skills, "pick up the lemon", "place at the sofa", "close the cabinet 7")
    assert skills.world.to_json() == before


def test_goal_parts_are_counted_for_the_best_choice():
    skills = flat(("lemon|01", "sofa"), ("lemon|02", "table 1"))
    goal = exists("lemon", "on_top(X, table 1)", "not_holding()", f"opened_fridge({FRIDGE})")
    assert goal_conditions(goal, skills) == (2, 3)
    skills.world.things[FRIDGE].is_open = True
    assert goal_conditions(goal, skills) == (3, 3)


def test_all_of_a_category_and_one_that_is_elsewhere():
    skills = flat(("lemon|01", "sofa"))
    everything = exists("lemon", "on_top(X, table 1)") | {"quantifier": "FORALL"}
    elsewhere = {
        "expr_type": "AND",
        "sub_exprs": [
            "not_holding()",
            exists("lemon", "on_top(X, sofa)") | {"expr_type": "NAND"},
        ],
    }
    assert goal_conditions(everything, skills) == (0, 1)
    assert goal_conditions(elsewhere, skills) == (1, 2)
    do(skills, "navigate to the sofa", "pick up the lemon")
    assert goal_conditions(elsewhere, skills) == (1, 2)
    do(skills, "navigate to the table 1", "place at the table 1")
    assert goal_conditions(everything, skills) == (1, 1)
    assert goal_conditions(elsewhere, skills) == (2, 2)


def test_nand_with_exists_asks_for_one_that_is_elsewhere():
    # As in habitat-lab: the quantifier ranges over the negated expression.
    skills = flat(("lemon|01", "sofa"), ("lemon|02", "table 1"))
    elsewhere = exists("lemon", "on_top(X, sofa)") | {"expr_type": "NAND"}
    assert goal_conditions({"expr_type": "AND", "sub_exprs": [elsewhere]}, skills) == (1, 1)


@pytest.mark.parametrize(
    "goal",
    [
        exists("lemon", "on_top(X, table 2)", "not_holding()"),
        exists("lemon", "on_top(X, table 2)", "not_holding()") | {"quantifier": "FORALL"},
        exists("ball", f"on_top(X, {FRIDGE})", f"opened_fridge({FRIDGE})", "not_holding()"),
        {"expr_type": "AND", "sub_exprs": ["robot_at(table 2)"]},
        {"expr_type": "AND", "sub_exprs": ["not_holding()"]},
        {
            "expr_type": "AND",
            "sub_exprs": [
                "not_holding()",
                exists("lemon", "on_top(X, sofa)") | {"expr_type": "NAND"},
            ],
        },
    ],
)
def test_the_oracle_reaches_every_kind_of_goal(goal):
    skills = flat(("lemon|01", "sofa"), ("lemon|02", "sofa"), ("ball|01", LEFT_DRAWER))
    before = skills.world.to_json()
    steps = plan(skills, goal)
    assert skills.world.to_json() == before
    for name in steps:
        valid, feedback = skills.step(name)
        assert valid, feedback
    met, total = goal_conditions(goal, skills)
    assert met == total


def test_the_oracle_says_when_there_is_no_way():
    with pytest.raises(LookupError):
        plan(flat(), exists("lemon", "on_top(X, sofa)"))
    with pytest.raises(ValueError, match="levitates"):
        goal_conditions(exists("ball", "levitates(X)"), flat(("ball|01", "sofa")))
