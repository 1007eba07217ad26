"""What the habitat server file says and how it names actions; the simulator is not here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from er_bench.sim.servers import habitat_0_3
from er_bench.sim.servers.habitat_0_3 import HabitatSimulator, action_name, feedback, place_name
from er_bench.tasks.eb_habitat.domain import ACTIONS, CABINETS, CATEGORIES, FRIDGE, RECEPTACLES


def test_the_names_of_all_actions_are_those_of_the_task() -> None:
    handles = [*CABINETS, FRIDGE, *RECEPTACLES]
    skills = [("nav", [h]) for h in handles]
    skills += [(f"pick_{category}", []) for category in CATEGORIES]
    skills += [("place", [h]) for h in RECEPTACLES]
    skills += [("open_fridge", [FRIDGE]), ("close_fridge", [FRIDGE])]
    skills += [(f"{verb}_cab", [h]) for verb in ("open", "close") for h in CABINETS]
    assert tuple(action_name(*skill) for skill in skills) == ACTIONS
    assert len(set(ACTIONS)) == len(ACTIONS) == 70


@pytest.mark.parametrize(
    ("invalid", "action", "holding", "said"),
    [
        (False, "nav(sofa)", False, "Last action executed successfully."),
        (False, "pick_apple(robot_0)", False,
         "Last action executed successfully and you are holding apple."),
        (False, "place(sofa)", True,
         "Last action executed successfully and you are holding nothing."),
        (False, "open_fridge(fridge_push_point)", False,
         "Last action executed successfully and now refrigerator is open."),
        (False, "close_cab(cab_push_point_7)", False,
         "Last action executed successfully and now cabinet push is closed."),
        (True, "nav(sofa)", False, "Last action is invalid."),
        (True, "pick_apple(robot_0)", True,
         "Last action is invalid. Robot cannot pick any object when holding something. "
         "Please place the object before picking something."),
        (True, "pick_apple(robot_0)", False,
         "Last action is invalid. Robot cannot pick any object that is not near the robot. "
         "Navigate to other place to find the object."),
        (True, "place(sofa)", True,
         "Last action is invalid. Robot cannot place any object that is not near the robot. "
         "Navigate to other place to find the object."),
        (True, "place(sofa)", False,
         "Last action is invalid. Robot cannot place any object when not holding something. "
         "Please pick the object before place it."),
        (True, "open_cab(cab_push_point_7)", False,
         "Last action is invalid. Check whether the receptacle is already open "
         "or the robot is not near the receptacle."),
        (True, "close_fridge(fridge_push_point)", False,
         "Last action is invalid. Check whether the receptacle is already closed "
         "or the robot is not near the receptacle."),
    ],
)  # fmt: skip
def test_feedback_in_the_released_words(
    invalid: bool, action: str, holding: bool, said: str
) -> None:
    # EmbodiedBench envs/eb_habitat/EBHabEnv.py get_env_feedback, commit b247936
    assert feedback(invalid, action, holding) == said


def test_an_unknown_place_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="swimming_pool"):
        place_name("swimming_pool")


def test_the_file_is_python_3_8_and_says_what_is_missing() -> None:
    ast.parse(Path(habitat_0_3.__file__).read_text(), feature_version=(3, 8))
    assert "habitat_sim" in habitat_0_3.missing({})


def test_only_files_of_the_checkout_are_opened(tmp_path: Path) -> None:
    simulator = HabitatSimulator({"embodiedbench": str(tmp_path)})
    for name in ("../../x/0", "base/0", "base/x"):
        with pytest.raises(ValueError, match="there is no"):
            simulator.reset(name, 0, 64, None)
