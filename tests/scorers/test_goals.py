from __future__ import annotations

from typing import Any

import pytest

from er_bench.scorers.goals import alfred_conditions, goal_holds, predicate, predicates_of

World = dict[str, Any]


def thing(object_id: str, inside: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "objectId": object_id,
        "pickupable": True,
        "receptacle": False,
        "toggleable": False,
        "isToggled": False,
        "visible": True,
        "receptacleObjectIds": None,
        "parentReceptacles": [inside] if inside else None,
        **more,
    }


def place(object_id: str, *held: str, **more: Any) -> dict[str, Any]:
    more = {"pickupable": False, **more}
    return thing(object_id, receptacle=True, receptacleObjectIds=list(held), **more)


def world(*objects: dict[str, Any], **more: Any) -> World:
    empty: World = {"inventory": [], "heated": [], "cooled": [], "cleaned": []}
    return {"objects": list(objects), **empty, **more}


def goal(
    obj: str = "", parent: str = "", toggle: str = "", mrecep: str = "", cut: bool = False
) -> World:
    return {
        "object_target": obj, "parent_target": parent, "toggle_target": toggle,
        "mrecep_target": mrecep, "object_sliced": cut,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("task_type", "params", "state", "expected"),
    [
        (
            "pick_and_place_simple",
            goal("Mug", "Shelf"),
            world(thing("Mug|1"), place("Shelf|1", "Mug|1")),
            (1, 1),
        ),
        (
            "pick_and_place_simple",
            goal("Mug", "Shelf"),
            world(thing("Mug|1"), place("Shelf|1"), place("Desk|1", "Mug|1")),
            (0, 1),
        ),
        (
            "pick_and_place_simple",
            goal("Knife", "Sink"),
            world(thing("ButterKnife|1"), place("SinkBasin|1", "ButterKnife|1")),
            (1, 1),
        ),
        (
            "pick_and_place_simple",
            goal("Apple", "Sink", cut=True),
            world(thing("Apple|1"), place("Sink|1", "Apple|1")),
            (0, 2),
        ),
        (
            "pick_and_place_simple",
            goal("Apple", "Sink", cut=True),
            world(thing("Apple|1|AppleSliced_0"), place("Sink|1", "Apple|1|AppleSliced_0")),
            (2, 2),
        ),
        (
            "pick_two_obj_and_place",
            goal("Mug", "Shelf"),
            world(
                thing("Mug|1"), thing("Mug|2"), place("Shelf|1", "Mug|1"), place("Shelf|2", "Mug|2")
            ),
            (1, 2),
        ),
        (
            "pick_two_obj_and_place",
            goal("Mug", "Shelf"),
            world(
                *(thing(f"Mug|{k}") for k in range(3)), place("Shelf|1", "Mug|0", "Mug|1", "Mug|2")
            ),
            (2, 2),
        ),
        ("pick_two_obj_and_place", goal("Mug", "Shelf"), world(thing("Mug|1")), (0, 2)),
        (
            "pick_two_obj_and_place",
            goal("Apple", "Sink", cut=True),
            world(*(thing(f"A|AppleSliced_{k}") for k in range(3)), place("Sink|1")),
            (2, 4),
        ),
        (
            "look_at_obj_in_light",
            goal("Book", toggle="Lamp"),
            world(
                thing("Book|1"),
                thing("DeskLamp|1", toggleable=True, isToggled=True),
                inventory=[{"objectId": "Book|1"}],
            ),
            (2, 2),
        ),
        (
            "look_at_obj_in_light",
            goal("Book", toggle="Lamp"),
            world(
                thing("Book|1"),
                thing("DeskLamp|1", toggleable=True, isToggled=True, visible=False),
                inventory=[{"objectId": "Book|1"}],
            ),
            (1, 2),
        ),
        (
            "pick_heat_then_place_in_recep",
            goal("Mug", "Shelf"),
            world(thing("Mug|1"), thing("Mug|2"), place("Shelf|1", "Mug|1"), heated=["Mug|2"]),
            (2, 3),
        ),
        (
            "pick_cool_then_place_in_recep",
            goal("Mug", "Shelf"),
            world(thing("Mug|1"), place("Shelf|1", "Mug|1"), cooled=["Mug|1"]),
            (3, 3),
        ),
        (
            "pick_clean_then_place_in_recep",
            goal("Mug", "Shelf"),
            world(thing("Mug|1"), place("Shelf|1"), cleaned=["Mug|1"]),
            (1, 3),
        ),
        (
            "pick_and_place_with_movable_recep",
            goal("Fork", "Table", mrecep="Plate"),
            world(
                thing("Fork|1"),
                place("Plate|1", "Fork|1", pickupable=True, parentReceptacles=["Table|1"]),
                place("Table|1", "Plate|1"),
            ),
            (3, 3),
        ),
        (
            "pick_and_place_with_movable_recep",
            goal("Fork", "Table", mrecep="Plate"),
            world(
                thing("Fork|1"),
                place("Plate|1", "Fork|1", pickupable=True),
                place("Plate|2", pickupable=True, parentReceptacles=["Table|1"]),
                place("Table|1", "Plate|2"),
            ),
            (2, 3),
        ),
    ],
)
def test_conditions_met(
    task_type: str, params: World, state: World, expected: tuple[int, int]
) -> None:
    assert alfred_conditions(task_type, params, state) == expected


def test_an_unknown_goal_type_is_refused() -> None:
    with pytest.raises(ValueError, match="pick_nothing"):
        alfred_conditions("pick_nothing", goal(), world())


ENTITIES = {"ball": ["ball_0", "ball_1"], "cup": []}


def holds(name: str, of: tuple[str, ...]) -> bool:
    return (name, *of) in {("on_top", "ball_1", "table"), ("not_holding",), ("open", "door")}


def quantified(quantifier: str, kind: str, *parts: Any, join: str = "AND") -> World:
    inputs = [{"name": "X", "expr_type": kind}]
    return {
        "expr_type": join, "quantifier": quantifier, "inputs": inputs, "sub_exprs": list(parts)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("open(door)", True),
        (quantified("EXISTS", "ball", "on_top(X, table)", "not_holding()"), True),
        (quantified("FORALL", "ball", "on_top(X, table)"), False),
        (quantified("EXISTS", "ball", "on_top(X, sofa)"), False),
        (quantified("EXISTS", "cup", "on_top(X, table)"), False),
        (quantified("FORALL", "cup", "on_top(X, table)"), True),
        ({"expr_type": "NAND", "sub_exprs": ["open(door)", "on_top(ball_0,table)"]}, True),
        ({"expr_type": "NAND", "sub_exprs": ["open(door)", "on_top(ball_1,table)"]}, False),
        ({"expr_type": "OR", "sub_exprs": ["open(window)", "not_holding()"]}, True),
        ({"expr_type": "NOR", "sub_exprs": ["open(window)"]}, True),
        (
            quantified("EXISTS", "ball", quantified("FORALL", "cup", "open(X)"), "on_top(X,table)"),
            True,
        ),
    ],
)
def test_goals_of_predicates(expression: Any, expected: bool) -> None:
    assert goal_holds(expression, ENTITIES, holds) is expected


def test_two_variables_may_stand_for_one_thing() -> None:
    both = {
        "expr_type": "AND", "quantifier": "EXISTS",
        "inputs": [{"name": "X", "expr_type": "ball"}, {"name": "Y", "expr_type": "ball"}],
        "sub_exprs": ["on_top(X, table)", "on_top(Y, table)"],
    }  # fmt: skip
    assert goal_holds(both, ENTITIES, holds)
    assert predicates_of(both) == [("on_top", ("X", "table")), ("on_top", ("Y", "table"))]


@pytest.mark.parametrize(
    "bad",
    [
        {"expr_type": "XOR", "sub_exprs": []},
        quantified("SOME", "ball", "open(X)"),
        quantified("EXISTS", "boat", "open(X)"),
        "open door",
        "open(door",
    ],
)
def test_what_is_no_goal_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError):
        goal_holds(bad, ENTITIES, holds)


def test_a_predicate_without_arguments() -> None:
    assert predicate("not_holding()") == ("not_holding", ())
