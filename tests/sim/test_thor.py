"""The AI2-THOR server file, driving the real ai2thor 5 package and a stand-in Unity process.

Needs ai2thor 5.0.0 in this Python; ai2thor 2.1.0 is tried when ER_BENCH_TEST_THOR_2_1 names a
Python that has it.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from er_bench.core.environment import Episode, Skill, Started, Stepped
from er_bench.core.errors import EnvError
from er_bench.scorers.goals import alfred_conditions
from er_bench.sim import server
from er_bench.sim.client import Deadlines, Spawn
from er_bench.sim.conformance import check
from er_bench.sim.pool import Pool
from er_bench.sim.servers import thor, thor_skills
from er_bench.sim.servers.thor import feedback
from er_bench.sim.servers.thor_skills import GLOBAL_ACTIONS, episode_actions, thor_name
from tests.sim.processes import left_behind

PYTHON_2_1 = os.environ.get("ER_BENCH_TEST_THOR_2_1", "")
DEADLINES = Deadlines(hello=60, reset=60, step=20, close=3)
SCENE = {
    "scene_num": 2,
    "object_poses": [{"objectName": "Mug_1", "position": {}, "rotation": {}}],
    "object_toggles": [{"objectType": "DeskLamp", "isOn": False}],
    "dirty_and_empty": True,
    "init_action": {
        "action": "TeleportFull",
        "rotateOnTeleport": True,
        "rotation": 90,
        "horizon": 30,
        "x": 0.5,
        "y": 0.9,
        "z": 0.5,
    },
    "instruction": "Put a clean mug away.",
}
EPISODE = Episode(id="base/0", scene="FloorPlan2", resolution=320, spec=SCENE)


class Bench:
    """One stand-in Unity: its log, its processes, and a way to play on it."""

    def __init__(self, folder: Path, python: str = sys.executable, variant: str = "5") -> None:
        self.python, self.variant = python, variant
        self.log, self.pids = folder / "actions.jsonl", folder / "pids"
        self.unity = folder / "unity"
        code = Path(__file__).with_name("standin_unity.py")
        self.unity.write_text(f'#!/bin/sh\nexec {sys.executable} {code} "$@"\n')
        self.unity.chmod(0o755)
        display = folder / "xdpyinfo"  # ai2thor 2.1.0 asks it whether there is an X server
        display.write_text("#!/bin/sh\nexit 0\n")
        display.chmod(0o755)

    def launch(self, fault: str = "", timeout_s: float = 60) -> Spawn:
        command = [self.python, server.__file__, f"--simulator={thor.__file__}"]
        command += [f"--option=variant={self.variant}"]
        command += [f"--option=executable={self.unity}", f"--option=timeout_s={timeout_s}"]
        variables = {
            "STANDIN_LOG": str(self.log),
            "STANDIN_PIDS": str(self.pids),
            "STANDIN_FAULT": fault,
            "PATH": f"{self.log.parent}:{os.environ['PATH']}",
        }
        return Spawn("thor_5", command, variables)

    def play(
        self, actions: Sequence[str], fault: str = "", deadlines: Deadlines = DEADLINES
    ) -> tuple[Started, list[Stepped]]:
        async def run() -> tuple[Started, list[Stepped]]:
            pool = Pool([self.launch(fault, 1.5)], deadlines)
            try:
                async with pool.acquire(EPISODE) as environment:
                    start = await environment.reset(EPISODE)
                    return start, [await environment.step(Skill(name)) for name in actions]
            finally:
                await pool.close()

        return asyncio.run(run())

    def calls(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def left_behind(self) -> list[int]:
        return left_behind(self.pids)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_there_are_162_actions_and_the_ids_of_the_released_examples_fit() -> None:
    # ids 57, 98, 133, 151, 160: EmbodiedBench config/alfred_examples.json
    assert len(GLOBAL_ACTIONS) == 162
    assert GLOBAL_ACTIONS[57] == "find a AlarmClock"
    assert GLOBAL_ACTIONS[98] == "pick up the AlarmClock"
    assert GLOBAL_ACTIONS[133] == "put down the object in hand"
    assert GLOBAL_ACTIONS[151] == "turn on the DeskLamp"
    assert GLOBAL_ACTIONS[160] == "slice the Apple"


def test_several_instances_add_actions_in_the_released_order() -> None:
    def some(kind: str, n: int, **is_a: bool) -> list[dict[str, object]]:
        what = {"receptacle": False, "pickupable": False, **is_a}
        return [{"objectType": kind, "objectId": f"{kind}|{k}", **what} for k in range(n)]

    objects = [
        *some("Mug", 2, receptacle=True, pickupable=True),
        *some("Cabinet", 11, receptacle=True),
        *some("Apple", 3, pickupable=True),
        *some("Dumbbell", 2, pickupable=True),
        *some("Fridge", 1, receptacle=True),
    ]
    actions, ids = episode_actions(objects)
    added = actions[162:]
    assert added[:3] == ["find a Cabinet_10", "find a Cabinet_11", "find a Cabinet_2"]
    assert added[10:13] == ["find a Mug_2", "open the Cabinet_10", "close the Cabinet_10"]
    assert added[-2:] == ["find a Apple_2", "find a Apple_3"]
    assert len(added) == 10 + 1 + 20 + 2
    assert ids["Cabinet"] == "Cabinet|0" and ids["Cabinet_2"] == "Cabinet|1"
    assert "Fridge" not in ids


def test_every_action_has_a_name_of_its_own() -> None:
    def vases(n: int, receptacle: bool) -> list[dict[str, object]]:
        is_a = {"objectType": "Vase", "receptacle": receptacle, "pickupable": True}
        return [{"objectId": f"Vase|{receptacle}|{k}", **is_a} for k in range(n)]

    assert len(set(GLOBAL_ACTIONS)) == len(GLOBAL_ACTIONS)
    actions, ids = episode_actions([*vases(3, True), *vases(2, False)])
    assert actions[162:] == ["find a Vase_2", "find a Vase_3"]
    assert ids["Vase_2"] == "Vase|False|1"  # what the released code means by it
    Started(instruction="", actions=tuple(actions))


def test_feedback_names_the_place_by_its_number() -> None:
    problem = "Mug is not visible because it is in Cabinet|1|2. Note: multiple instances may exist"
    assert feedback(problem, {"Cabinet|1|2": "Cabinet_3"}) == (
        "Last action is invalid. Mug is not visible because it is in Cabinet_3. "
        "Go there to pick the object instead."
    )
    assert feedback("", {}) == "Last action executed successfully."


@pytest.mark.parametrize(
    ("name", "said"), [("RemoteControl", "Remotecontrol"), ("CD", "CD"), ("Mug_2", "Mug_2")]
)
def test_names_lose_their_inner_capitals_as_in_the_released_code(name: str, said: str) -> None:
    assert thor_name(name) == said


@pytest.mark.parametrize("module", [thor, thor_skills])
def test_the_files_are_python_3_8(module: object) -> None:
    ast.parse(Path(str(module.__file__)).read_text(), feature_version=(3, 8))  # type: ignore[attr-defined]


def test_the_server_keeps_every_rule(bench: Bench) -> None:
    findings = asyncio.run(check(bench.launch(), DEADLINES))
    assert [f for f in findings if not f.kept] == []
    assert bench.left_behind() == []


def test_an_episode_is_set_up_in_order_with_the_calls_of_version_5(bench: Bench) -> None:
    start, _ = bench.play([])
    assert start.instruction == "Put a clean mug away."
    assert start.actions[162:] == (
        "find a Cabinet_2", "open the Cabinet_2", "close the Cabinet_2", "find a Mug_2",
    )  # fmt: skip
    assert start.head_png and start.head_png.startswith(b"\x89PNG")
    calls = bench.calls()
    names = [c["action"] for c in calls]
    second = len(names) - names[::-1].index("Reset") - 1
    assert calls[second]["sceneName"] == "FloorPlan2_physics"
    assert names[second:] == [
        "Reset", "Initialize", "SetObjectStates", "SetObjectStates", "SetObjectStates",
        "SetObjectPoses", "GetReachablePositions", "TeleportFull",
    ]  # fmt: skip
    assert "rotateOnTeleport" not in calls[-1] and calls[-1]["standing"] is True
    assert calls[second + 1]["visibilityDistance"] == 1.5


def test_a_whole_task_ends_with_the_goal_met(bench: Bench) -> None:
    plan = [
        "find a Mug_2", "pick up the Mug", "find a Sink", "put down the object in hand",
        "turn on the Faucet", "turn off the Faucet", "pick up the Mug",
        "find a Cabinet_2", "open the Cabinet_2", "put down the object in hand",
    ]  # fmt: skip
    _, steps = bench.play(plan)
    assert [s.feedback for s in steps] == ["Last action executed successfully."] * len(plan)
    goal = {"object_target": "Mug", "parent_target": "Cabinet", "object_sliced": False}
    conditions = [
        alfred_conditions("pick_clean_then_place_in_recep", goal, s.world or {}) for s in steps
    ]
    assert conditions[0] == (1, 3)  # the other mug already stands in a cabinet
    assert conditions[-1] == (3, 3)
    put = next(c for c in bench.calls() if c["action"] == "PutObject")
    assert put["objectId"] == "Sink|+00|+00|-02|SinkBasin"  # the basin goes before the sink
    assert put["forceAction"] is True


def test_what_cannot_be_done_is_told_in_the_released_words(bench: Bench) -> None:
    told = {
        "find a Statue": "Cannot find Statue. This object may not exist in this scene. "
        "Try to explore other instances instead.",
        "pick up the RemoteControl": "Cannot find Remotecontrol to pick up. "
        "Find the object before picking up it",
        "put down the object in hand": "Robot is not holding any object",
        "open the Safe": "Cannot find Safe to open. Find the object before opening it",
        "close the Fridge": "Close action failed. The Fridge is already closed",
        "turn on the Microwave": "Turn on action failed",
        "slice the Bread": "Cannot find Bread to slice",
        "open the Cabinet": "Open action failed.",
    }
    _, steps = bench.play(list(told))
    assert [s.feedback.removeprefix("Last action is invalid. ") for s in steps] == list(
        told.values()
    )
    assert not any(s.valid for s in steps)


def test_a_thing_out_of_sight_is_told_by_the_place_it_is_in(bench: Bench) -> None:
    _, steps = bench.play(["find a Cabinet_2", "pick up the Knife"])
    assert steps[1].feedback == (
        "Last action is invalid. Knife is not visible because it is in CounterTop. "
        "Go there to pick the object instead."
    )


def test_after_three_tries_a_thing_is_dropped(bench: Bench) -> None:
    put = "put down the object in hand"
    plan = ["find a Mug_2", "pick up the Mug", "find a Cabinet_2", put, put, put]
    _, steps = bench.play(plan)
    problem = (
        "Last action is invalid. Putting the object on Cabinet failed. First check whether the "
        "receptacle is open or not. Also try other instances of the receptacle"
    )
    said = [s.feedback for s in steps[3:]]
    assert said == [problem, problem, problem + ". The robot dropped the object instead."]
    assert (steps[-1].world or {})["inventory"] == []


def test_slices_are_preferred_after_slicing_and_heat_and_cold_are_kept(bench: Bench) -> None:
    plan = [
        "find a Knife", "pick up the Knife", "slice the Apple", "drop the object in hand",
        "find a Apple", "pick up the Apple", "find a Microwave", "open the Microwave",
        "put down the object in hand", "close the Microwave", "turn on the Microwave",
        "turn off the Microwave", "open the Microwave", "pick up the Apple", "find a Fridge",
        "open the Fridge", "put down the object in hand", "close the Fridge",
    ]  # fmt: skip
    _, steps = bench.play(plan)
    worlds = [s.world or {} for s in steps]
    assert [s.valid for s in steps].count(False) <= 1
    assert any("Sliced" in i for i in worlds[-1]["heated"])
    assert worlds[-2]["cooled"] == [] and worlds[-1]["cooled"] == worlds[-1]["heated"]


@pytest.mark.parametrize("fault", ["exit", "hang", "short", "garbage"])
def test_a_broken_unity_is_an_env_error_and_leaves_no_process(fault: str, bench: Bench) -> None:
    with pytest.raises(EnvError, match="tried twice"):
        bench.play(["find a Mug", "pick up the Mug"], f"{fault}:PickupObject",
                   Deadlines(hello=30, reset=30, step=8, close=2))  # fmt: skip
    assert len(bench.pids.read_text().split()) == 2
    assert bench.left_behind() == []


@pytest.mark.skipif(not PYTHON_2_1, reason="no Python with ai2thor 2.1.0 is named")
def test_version_2_1_is_driven_by_its_own_calls(tmp_path: Path) -> None:
    bench = Bench(tmp_path, PYTHON_2_1, "2.1")
    findings = asyncio.run(check(bench.launch(), DEADLINES))
    assert [f for f in findings if not f.kept] == []
    bench.log.unlink()
    plan = ["find a Mug_2", "pick up the Mug", "find a Sink", "put down the object in hand"]
    _, steps = bench.play(plan)
    assert all(s.valid for s in steps)
    calls = bench.calls()
    assert [c["action"] for c in calls[:9]] == [
        "Reset", "Initialize", "Initialize", "SetObjectToggles", "SetStateOfAllObjects",
        "SetStateOfAllObjects", "SetObjectPoses", "GetReachablePositions", "TeleportFull",
    ]  # fmt: skip
    put = calls[-1]
    assert (put["objectId"], put["receptacleObjectId"]) == (
        "Mug|+00|+01|+02", "Sink|+00|+00|-02|SinkBasin",
    )  # fmt: skip
    assert bench.left_behind() == []
