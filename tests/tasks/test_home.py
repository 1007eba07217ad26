"""The built-in homes: shipped episodes, the loop over them, EB-Habitat's files."""

import asyncio
import json
import pickle
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from er_bench.core.answer import Plan, Value
from er_bench.core.completion import Completion
from er_bench.core.errors import DataError
from er_bench.core.prompt import Prompt
from er_bench.core.reference import AnyReference
from er_bench.core.registry import Registry
from er_bench.core.rollout import Rollout, Turn
from er_bench.core.sample import Image, Sample, Text
from er_bench.core.score import Verdict
from er_bench.sim.client import Spawn
from er_bench.sim.conformance import check
from er_bench.sim.simulators import simulator
from er_bench.tasks.base.home import HomeEpisode, HomeTask
from er_bench.tasks.eb_habitat.domain import RECEPTACLES
from er_bench.worlds.home import blind_planner, episode_proof, generate_alfred, generate_rearrange
from er_bench.worlds.home.descriptions import DESCRIPTIONS, plain
from er_bench.worlds.home.objects import OBJECTS
from er_bench.worlds.home.simulator import HomeSimulator
from er_bench.worlds.home.skills import start
from tests.judging import open_task

HOMES = ("home_alfred", "home_rearrange")
MAKERS = {"home_alfred": generate_alfred, "home_rearrange": generate_rearrange}


@pytest.fixture(autouse=True)
def small_plain_pictures(monkeypatch):
    monkeypatch.setenv("ER_BENCH_HOME_RENDERER", "numpy")
    monkeypatch.setattr(HomeTask, "resolution_px", 24)


def open_home(name: str, root: Path | None = None) -> HomeTask:
    task = open_task(name, root or Registry().mini_root(name))
    assert isinstance(task, HomeTask)
    return task


def reference(task: HomeTask) -> AnyReference:
    found = Registry().reference(task)
    assert found is not None
    return found


def actions(sample: Sample[HomeEpisode]) -> tuple[str, ...]:
    return start(sample.target.spec).actions


def shipped(name: str) -> list[dict[str, Any]]:
    file = Registry().mini_root(name) / "episodes.json"
    episodes: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return episodes


class Scripted:
    """Answers with a plan of a sample's own task, and keeps what it was asked."""

    def __init__(
        self, task: HomeTask, sample: Sample[HomeEpisode], value: Callable[[], Value]
    ) -> None:
        self.reference, self.sample, self.value = reference(task), sample, value
        self.prompts: list[Prompt] = []

    async def ask(self, prompt: Prompt) -> Turn:
        self.prompts.append(prompt)
        text = self.reference.write(self.value(), self.sample)
        return Turn(Completion(text), prompt.sha256())


def play(
    task: HomeTask, sample: Sample[HomeEpisode], value: Callable[[], Value]
) -> tuple[Rollout, Scripted]:
    agent = Scripted(task, sample, value)

    async def run() -> Rollout:
        try:
            return await task.solve(sample, agent)
        finally:
            await task.close()

    return asyncio.run(run()), agent


def official(task: HomeTask, sample: Sample[HomeEpisode], rollout: Rollout) -> Verdict:
    return task.judge(sample, rollout)["official"]


@pytest.mark.parametrize("name", HOMES)
def test_the_mini_split_has_twenty_of_each_subset(name):
    task = open_home(name)
    samples = list(task.samples())
    assert Counter(s.category for s in samples) == task.card.dataset.categories
    assert len({s.id for s in samples}) == len(samples) == task.card.dataset.rows
    assert len({(s.target.spec["instruction"], s.cluster) for s in samples}) >= 0.95 * len(samples)


@pytest.mark.parametrize("name", HOMES)
def test_every_shipped_episode_is_solved_by_its_plan_and_not_without_the_key_step(name):
    for spec in shipped(name):
        plan, key = spec["plan"], spec["key_step"]
        done = list(episode_proof.run(spec, plan))
        assert len(plan) <= 30 and all(d.valid for d in done), spec["id"]
        assert [d.success for d in done] == [False] * (len(plan) - 1) + [True], spec["id"]
        without = episode_proof.run(spec, plan[:key] + plan[key + 1 :])
        assert not any(d.success for d in without), spec["id"]


@pytest.mark.parametrize("name", HOMES)
def test_text_alone_cannot_tell_what_only_looking_tells(name):
    hard = [spec for spec in shipped(name) if spec["mistaken_plans"]]
    assert len(hard) >= 25
    for spec in hard:
        right = [d.feedback for d in episode_proof.run(spec, spec["plan"])]
        for plan in spec["mistaken_plans"]:
            wrong = list(episode_proof.run(spec, plan))
            assert plan != spec["plan"] and not any(d.success for d in wrong), spec["id"]
            if len(plan) == len(right):
                assert [d.feedback for d in wrong] == right, spec["id"]


@pytest.mark.parametrize("name", HOMES)
def test_a_seed_makes_the_same_episode_again(name):
    maker, spec = MAKERS[name], shipped(name)[0]
    assert json.loads(json.dumps(maker.episode("base", 0, 1))) == spec
    assert maker.episode("base", 0, 2) != spec


@pytest.mark.parametrize("name", HOMES)
def test_the_oracle_wins_through_the_loop(name):
    task = open_home(name)
    for sample in list(task.samples())[::30]:
        task.check(sample)
        rollout, agent = play(task, sample, lambda s=sample: reference(task).ideal(s))
        verdict = official(task, sample, rollout)
        assert verdict.score == 1.0
        assert verdict.parts["num_invalid_actions"] == 0
        assert len(agent.prompts) == 1
        assert rollout.start is not None and "numpy" in rollout.start.simulator


@pytest.mark.parametrize("name", HOMES)
def test_random_actions_hardly_ever_win(name):
    task, rng = open_home(name), random.Random(0)
    wins = 0.0
    for sample in list(task.samples())[::20]:
        rollout, _ = play(task, sample, lambda s=sample: reference(task).random_value(s, rng))
        wins += task.judge(sample, rollout)["robust"].score
    assert wins == 0


@pytest.mark.parametrize("name", HOMES)
def test_the_blind_planner_wins_where_words_suffice_and_not_by_colour(name):
    task = open_home(name)
    won: Counter[str] = Counter()
    for sample, spec in zip(task.samples(), shipped(name), strict=True):
        plan, known = reference(task).blind_value(sample), actions(sample)
        assert isinstance(plan, Plan)
        names = [known[step] for step in plan.steps]
        won[sample.category] += any(d.success for d in episode_proof.run(spec, names))
    assert won["base"] >= 4
    assert won["visual_appearance"] <= 6


@pytest.mark.parametrize("name", OBJECTS)
def test_the_blind_planner_knows_every_thing_by_its_names(name):
    said = [plain(name), *([DESCRIPTIONS[name]] if name in DESCRIPTIONS else [])]
    said += [f"slice of {name.lower()}"] if OBJECTS[name].sliceable else []
    for words in said:
        plan = blind_planner.alfred_plan(f"Bring {words} and leave it on the counter.")
        assert f"pick up the {name}" in plan, words


@pytest.mark.parametrize("name", HOMES)
def test_later_prompts_tell_what_was_done(name):
    task = open_home(name)
    sample = next(iter(task.samples()))
    impossible = actions(sample).index("close the cabinet 7" if "rear" in name else "open the Safe")
    rollout, agent = play(task, sample, lambda: Plan((impossible,)))
    assert official(task, sample, rollout).parts["num_invalid_actions"] == 10
    first, second = agent.prompts[0].text(), agent.prompts[1].text()
    assert sample.target.spec["instruction"] in first and "0: " in first
    assert "Last action is invalid." in second and "Last action is invalid." not in first
    assert [type(p).__name__ for p in agent.prompts[0].parts()] == ["Image", "Text"]


def test_the_planner_sees_the_home_as_it_is_now(monkeypatch):
    task = open_home("home_alfred")
    sample = next(iter(task.samples()))
    names, ideal = actions(sample), reference(task).ideal(sample)
    assert isinstance(ideal, Plan)
    plans = iter([Plan((ideal.steps[0], names.index("open the Laptop"))), ideal])
    _, agent = play(task, sample, lambda: next(plans))
    simulator = HomeSimulator()
    first = simulator.reset(sample.id, 0, 24, dict(sample.target.spec))["obs"]["head_rgb"]
    second = simulator.step(names[ideal.steps[0]])["obs"]["head_rgb"]
    parts = [part for prompt in agent.prompts for part in prompt.parts()]
    seen = [part.blob.read() for part in parts if isinstance(part, Image)]
    assert seen == [first, second] and first != second


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("goal", "put it there", "field goal"),
        ("things", [{"id": "x", "kind": "Unicorn", "colour": "red"}], "Unicorn"),
        ("instruction", None, "field instruction"),
    ],
)
def test_a_faulty_row_is_named(tmp_path, field, value, complaint):
    spec = shipped("home_alfred")[0] | {field: value}
    (tmp_path / "episodes.json").write_text(json.dumps([spec]))
    task = open_home("home_alfred", tmp_path)
    with pytest.raises(DataError, match=complaint):
        for sample in task.samples():
            task.check(sample)


def test_a_refused_reset_leaves_the_episode_before_it_as_it_was():
    spec, other = shipped("home_alfred")[:2]
    simulator = HomeSimulator()
    simulator.reset(spec["id"], 0, 24, spec)
    before = simulator.state()
    with pytest.raises(ValueError, match="cannot be played"):
        simulator.reset(other["id"], 0, 24, other | {"goal": {}})
    assert simulator.state() == before


def test_the_home_keeps_to_the_wire_protocol(monkeypatch):
    known = simulator("home")
    findings = asyncio.run(check(Spawn("home", known.command(sys.executable))))
    assert [f.rule for f in findings if not f.kept] == []


# EB-Habitat's files, in the released layout, made here.

PLACE_OF = {
    "receptacle_aabb_Tbl1_Top1_frl_apartment_table_01": (4.0, 0.8, 7.5),
    "receptacle_aabb_Tbl2_Top1_frl_apartment_table_02": (1.5, 0.95, 2.0),
    "receptacle_aabb_TvStnd1_Top1_frl_apartment_tvstand": (0.8, 0.65, 6.0),
    "receptacle_aabb_Sofa_frl_apartment_sofa": (3.5, 0.42, 5.5),
    "receptacle_aabb_sink_kitchen_counter": (-2.2, 0.7, 1.95),
    "receptacle_aabb_counter_right_kitchen_counter": (-2.2, 0.9, 0.9),
    "receptacle_aabb_counter_left_kitchen_counter": (-2.2, 0.9, 2.7),
}
SOFA = "receptacle_aabb_Sofa_frl_apartment_sofa"


def habitat_file(path: Path, goals: list[dict[str, Any]], start: list[str] = []) -> None:  # noqa: B006
    """A pickle of episodes that all start alike: a lemon or an apple on each receptacle."""
    names, transforms, rigid, standing = ["014_lemon.object_config.json"], [], [], []
    for copy, (receptacle, (x, y, z)) in enumerate(PLACE_OF.items()):
        names += [f"014_lemon_:{copy:04d}", receptacle]
        transform = np.eye(4)
        transform[:3, 3] = x, y, z
        transforms.append(transform)
        rigid.append([0, copy])
        standing.append([len(names) - 2, len(names) - 1])
    episodes = [
        {
            "episode_id": str(k), "scene_id": "scenes/v3_sc0.json", "instruction": "Do it.",
            "rigid_objs": np.array(rigid), "name_to_receptacle": np.array(standing),
            "goal_preds": goal, "subgoals": [], "start_preds": start, "sampled_entities": {},
        }
        for k, goal in enumerate(goals)
    ]  # fmt: skip
    content = {
        "all_transforms": np.array(transforms),
        "idx_to_name": dict(enumerate(names)),
        "all_eps": episodes,
    }
    path.write_bytes(pickle.dumps(content))


def goal(*parts: Any, quantifier: str = "EXISTS") -> dict[str, Any]:
    inputs = [{"name": "X", "expr_type": "lemon"}]
    return {
        "expr_type": "AND", "quantifier": quantifier, "inputs": inputs, "sub_exprs": list(parts),
    }  # fmt: skip


def test_an_lfs_pointer_in_place_of_a_file_of_eb_habitat_is_told(tmp_path):
    (tmp_path / "base.pickle").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DataError, match="git lfs pull"):
        list(open_home("home_rearrange", tmp_path).samples())


def test_eb_habitat_episodes_are_played_with_their_own_names(tmp_path):
    table = "receptacle_aabb_Tbl1_Top1_frl_apartment_table_01"
    goals = [
        goal(f"on_top(X, {SOFA})", "not_holding()", quantifier="FORALL"),
        goal(f"on_top(014_lemon_:0003, {table})", "closed_fridge(fridge_push_point)"),
        {"expr_type": "AND", "sub_exprs": [f"robot_at({table})"]},
    ]
    habitat_file(tmp_path / "base.pickle", goals, ["opened_fridge(fridge_push_point)"])
    task = open_home("home_rearrange", tmp_path)
    samples = list(task.samples())
    assert task.dataset.rows == 300
    assert [s.id for s in samples] == ["base/0", "base/1", "base/2"]
    assert samples[0].parts == (Text("Do it."),)
    for sample in samples:
        task.check(sample)
        rollout, _ = play(task, sample, lambda s=sample: reference(task).ideal(s))
        assert official(task, sample, rollout).score == 1.0
    assert samples[1].target.spec["goal"]["sub_exprs"][0] == "on_top(014_lemon_:0003, table 1)"


def test_objects_stand_where_the_data_has_them(tmp_path):
    habitat_file(tmp_path / "base.pickle", [goal(f"on_top(X, {SOFA})", "not_holding()")])
    task = open_home("home_rearrange", tmp_path)
    things = {t["id"]: t for t in next(iter(task.samples())).target.spec["things"]}
    for copy, receptacle in enumerate(PLACE_OF):
        handle = f"014_lemon_:{copy:04d}"
        assert things[handle]["parent"] == RECEPTACLES[receptacle]
    sofa, table = (things[n]["at_m"] for n in ("sofa", "table 1"))
    there, here = PLACE_OF[SOFA], PLACE_OF["receptacle_aabb_Tbl1_Top1_frl_apartment_table_01"]
    assert sofa[0] - table[0] == pytest.approx(there[0] - here[0], abs=0.01)
    assert sofa[1] - table[1] == pytest.approx(here[2] - there[2], abs=0.01)


@pytest.mark.parametrize(
    ("wrong", "start", "reason"),
    [
        (goal("levitates(X)"), [], "no predicate levitates"),
        (goal(f"on_top(X, {SOFA})", "holding(X)"), [], "the oracle finds no way"),
        (
            goal(f"on_top(X, {SOFA})"),
            ["opened_cab(cab_push_point_4)"],
            "cannot start with opened_cab",
        ),
        (goal(f"on_top(X, {SOFA})") | {"inputs": [{"name": "X", "expr_type": "yeti"}]}, [], "yeti"),
    ],
)
def test_what_the_home_cannot_represent_is_refused_by_name(tmp_path, wrong, start, reason):
    habitat_file(tmp_path / "spatial_relationship.pickle", [wrong], start)
    task = open_home("home_rearrange", tmp_path)
    (sample,) = task.samples()
    with pytest.raises(DataError, match=f"episode spatial_relationship/0: .*{reason}.*row 0"):
        task.check(sample)


def test_a_pickle_that_holds_code_is_refused(tmp_path):
    (tmp_path / "base.pickle").write_bytes(pickle.dumps(print))
    with pytest.raises(DataError, match="not allowed here"):
        list(open_home("home_rearrange", tmp_path).samples())
