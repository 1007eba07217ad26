"""EB-ALFRED and EB-Habitat on a checkout that the tests make, in the layout of the real one."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from er_bench.core.answer import Plan
from er_bench.core.completion import Completion
from er_bench.core.environment import Environments, Stepped
from er_bench.core.errors import DataError, EnvError, UsageError
from er_bench.core.prompt import Prompt
from er_bench.core.record import Record
from er_bench.core.registry import Registry
from er_bench.core.rollout import EpisodeStart, Rollout, Step, Turn
from er_bench.core.sample import Image, Sample, Text
from er_bench.data.rows import BytesBlob
from er_bench.run.records import make_record
from er_bench.sim.in_process import InProcessEnvironments
from er_bench.tasks.base.episodes import EpisodeTask
from er_bench.tasks.eb_habitat import pickles
from er_bench.tasks.eb_habitat.domain import ACTIONS, CATEGORIES, category_of, entities
from tests.judging import open_task

ALFRED_SUBSETS = ("base", "common_sense", "complex_instruction", "spatial", "visual_appearance",
                  "long_horizon")  # fmt: skip
FILES = {
    "embodiedbench/evaluator/config/system_prompts.py": (
        "alfred_system_prompt = '''Ids 0 ~ {}: {}.\n\n{}\n\nBe brief.'''\n"
        "habitat_system_prompt = '''Rearrange, 0 ~ {}: {}.\n\n{}\n'''\n"
        "raise RuntimeError('this file is read, not run')\n"
    ),
    "embodiedbench/evaluator/config/alfred_examples.json": json.dumps([f"short {k}" for k in "ab"]),
    "embodiedbench/evaluator/config/alfred_long_horizon_examples.json": json.dumps(["long a"]),
    "embodiedbench/evaluator/config/habitat_examples.json": json.dumps(
        [f"h{k}" for k in range(12)]
    ),
    "embodiedbench/planner/planner_utils.py": "import nothing\ntemplate = '\\nWrite JSON.'\n",
    "embodiedbench/planner/planner_config/generation_guide.py": (
        "vlm_generation_guide = {'type': 'object', 'required': ['executable_plan']}\n"
    ),
}
SCENE = {
    "scene_num": 7, "object_poses": [], "object_toggles": [], "dirty_and_empty": False,
    "init_action": {"action": "TeleportFull"}, "floor_plan": "FloorPlan7", "random_seed": 1,
}  # fmt: skip


def annotation(task_type: str = "pick_and_place_simple") -> dict[str, Any]:
    params = {"object_target": "Mug", "parent_target": "Shelf", "toggle_target": "",
              "mrecep_target": "", "object_sliced": False}  # fmt: skip
    return {"task_type": task_type, "pddl_params": params, "scene": SCENE}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """An EmbodiedBench checkout: two episodes a subset, texts of the tests' own."""
    root = tmp_path / "EmbodiedBench"
    splits = {
        subset: [
            {"task": f"pick-{subset}-7/trial_{k // 2}", "repeat_idx": k, "instruction": f"Do {k}."}
            for k in range(2)
        ]
        for subset in ALFRED_SUBSETS
    }
    tree = "embodiedbench/envs/eb_alfred/data"
    files = {**FILES, f"{tree}/splits/splits.json": json.dumps(splits)}
    for subset in ALFRED_SUBSETS:
        for k in range(2):
            path = f"{tree}/json_2.1.0/pick-{subset}-7/trial_{k // 2}/pp/ann_{k}.json"
            files[path] = json.dumps(annotation())
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return root


def opened(name: str, root: Path, protocol: str = "official") -> EpisodeTask[Any]:
    """The task, its card trusting the texts of the checkout."""
    task = open_task(name, root, protocol)
    assert isinstance(task, EpisodeTask) and task.card.texts
    hashes = {
        path: hashlib.sha256((root / path).read_bytes()).hexdigest()
        if (root / path).is_file() else known
        for path, known in task.card.texts.sha256.items()
    }  # fmt: skip
    texts = task.card.texts.model_copy(update={"sha256": hashes})
    task.card = task.card.model_copy(update={"texts": texts})
    return task


def prompt_text(task: EpisodeTask[Any], sample: Sample[Any], history: Sequence[Step] = ()) -> str:
    start = EpisodeStart("Do it.", ("a", "b"))
    prompt = task.plan_prompt(sample, start, history, picture())
    (message,) = prompt.messages
    assert isinstance(message.parts[0], Image)
    return prompt.text()


def picture() -> BytesBlob:
    return BytesBlob("step_0.png", b"")


def test_the_episodes_of_eb_alfred(checkout: Path) -> None:
    task = opened("eb_alfred", checkout)
    samples = list(task.samples())
    assert [s.id for s in samples[:3]] == ["base/0", "base/1", "common_sense/0"]
    assert len(samples) == 12 and len({s.cluster for s in samples}) == 6
    assert samples[0].parts == (Text("Do 0."),)
    assert all(path.is_file() for s in samples for path in map(Path, task.media(s)))  # type: ignore[arg-type]
    episode = task.episode(samples[1])
    assert (episode.scene, episode.resolution) == ("FloorPlan7", 500)
    assert episode.spec and episode.spec["instruction"] == "Do 1."
    assert "random_seed" not in episode.spec


def test_a_missing_annotation_is_missing_media_not_a_missing_row(checkout: Path) -> None:
    next(checkout.rglob("pick-base-7/*/pp/ann_0.json")).unlink()
    task = opened("eb_alfred", checkout)
    first, second, *_ = task.samples()
    assert not any(Path(str(p)).is_file() for p in task.media(first))
    assert first.target.goal is None and second.target.goal is not None


def test_a_hub_snapshot_holds_the_tree_and_texts_come_from_the_cache(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = opened("eb_alfred", checkout)
    monkeypatch.setenv("ER_BENCH_CACHE", str(tmp_path / "cache"))
    assert task.card.texts
    for path, sha256 in task.card.texts.sha256.items():
        cached = tmp_path / "cache" / "official" / sha256
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes((checkout / path).read_bytes())
    task.root = checkout / "embodiedbench/envs/eb_alfred/data/json_2.1.0"
    samples = list(task.samples())
    assert len(samples) == 12 and all(s.target.goal for s in samples)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"task": "../../x"}, "task"), ({"instruction": 3}, "instruction"),
     ({"repeat_idx": "0"}, "repeat_idx")],
)  # fmt: skip
def test_a_bad_row_is_named(checkout: Path, change: dict[str, Any], field: str) -> None:
    path = checkout / "embodiedbench/envs/eb_alfred/data/splits/splits.json"
    splits = json.loads(path.read_text())
    splits["base"][1].update(change)
    path.write_text(json.dumps(splits))
    with pytest.raises(DataError, match=rf"splits\.json, row 1, field {field}"):
        list(opened("eb_alfred", checkout).samples())


def test_a_text_of_another_version_is_an_error(checkout: Path) -> None:
    task = open_task("eb_alfred", checkout)  # the card's own hashes
    with pytest.raises(DataError, match="check out that commit"):
        list(task.samples())


def test_the_first_and_the_later_prompt(checkout: Path) -> None:
    task = opened("eb_alfred", checkout)
    samples = list(task.samples())
    assert prompt_text(task, samples[0]) == (
        "Ids 0 ~ 1: \naction id 0: a, \naction id 1: b.\n\n"
        "## Task Execution Example 0: \n short a\n\n## Task Execution Example 1: \n short b"
        "\n\nBe brief.\n\n## Now the human instruction is: Do it. You are supposed to output in "
        "json. You need to describe current visual state from the image, output your reasoning "
        "steps and plan. At the end, output the action id (0 ~ 1) from the available actions to "
        "excute.\nWrite JSON."
    )
    failed = Step("b", 1, False, "Last action is invalid. No.", success=False, progress=0.0)
    later = prompt_text(task, samples[-1], [failed])
    assert "## Task Execution Example  0: \n long a\n\nBe brief." in later
    assert (
        "\n\n The action history:\nStep 0, action id 1, b, env feedback: Last action is invalid. "
        "No.\n\n Considering the above" in later
    )
    assert "to achieve the human instruction: 'Do it', you are" in later


@pytest.mark.parametrize(
    ("protocol", "style", "schema"),
    [("official", True, True), ("schema", False, True), ("repaired", True, False),
     ("robust", True, True)],
)  # fmt: skip
def test_what_each_protocol_asks_for(
    checkout: Path, protocol: str, style: bool, schema: bool
) -> None:
    task = opened("eb_alfred", checkout, protocol)
    prompt = task.plan_prompt(next(task.samples()), EpisodeStart("x", ("a",)), (), picture())
    assert prompt.text().endswith("Write JSON.") is style
    assert (prompt.json_schema == {"type": "object", "required": ["executable_plan"]}) is schema
    assert prompt.decoding.temperature == 0 and prompt.decoding.max_new_tokens == 2048


def written(task: EpisodeTask[Any], plan: Plan) -> str:
    reference = Registry().reference(task)
    assert reference is not None
    return reference.write(plan, next(task.samples()))


def test_a_plan_is_written_as_it_is_read(checkout: Path) -> None:
    task = opened("eb_alfred", checkout)
    text = written(task, Plan((3, 1)))
    assert task.reader()(text, ["a"] * 5).action_ids == (3, 1)


def mug(place: str | None) -> dict[str, Any]:
    holds = {"receptacleObjectIds": ["Mug|1"] if place else []}
    plain = {"toggleable": False, "isToggled": False, "visible": True, "parentReceptacles": None}
    return {
        "objects": [
            {"objectId": "Mug|1", "pickupable": True, "receptacle": False, **plain,
             "receptacleObjectIds": None},
            {"objectId": "Shelf|1", "pickupable": False, "receptacle": True, **plain, **holds},
        ],
        "inventory": [], "heated": [], "cooled": [], "cleaned": [],
    }  # fmt: skip


class Shelves:
    """A simulator that sends a world and leaves the judgement to the task."""

    def hello(self) -> dict[str, Any]:
        return {"env": "shelves", "env_version": "1"}

    def list_episodes(self, split: str) -> list[str]:
        return []

    def reset(
        self, episode_id: str, seed: int, resolution: int, episode: dict[str, Any] | None
    ) -> dict[str, Any]:
        assert episode
        actions = ["find a Mug", "put down the object in hand"]
        return {
            "instruction": episode["instruction"],
            "actions": actions,
            "obs": {"head_rgb": b"x"},
        }

    def step(self, action: str) -> dict[str, Any]:
        world = mug("Shelf|1" if action.startswith("put down") else None)
        told = "Last action executed successfully."
        return {"valid": True, "feedback": told, "done": False, "world": world}

    def state(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        pass


def test_an_episode_is_judged_from_the_world_and_judged_again_the_same(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = opened("eb_alfred", checkout)

    def shelves() -> Environments:
        return InProcessEnvironments(Shelves, "shelves")

    monkeypatch.setattr(task, "open_environments", shelves)
    sample, text = next(task.samples()), written(task, Plan((0, 1)))

    class Planner:
        async def ask(self, prompt: Prompt) -> Turn:
            return Turn(Completion(text), prompt.sha256())

    async def run() -> Rollout:
        try:
            return await task.solve(sample, Planner())
        finally:
            await task.close()

    rollout = asyncio.run(run())
    judgement = task.judge(sample, rollout)
    assert judgement["official"].score == judgement["robust"].score == 1.0
    (turn,) = rollout.turns
    assert [step.goal_conditions for step in turn.steps] == [(0, 1), (1, 1)]
    line = make_record(task, sample, ("eb_alfred", sample.id, 0), rollout, judgement).to_line()
    assert "receptacleObjectIds" not in line  # the world is not kept
    stored = Record.model_validate_json(line)
    assert stored.rollout == rollout
    assert opened("eb_alfred", checkout).judge(sample, stored.rollout) == judgement


def test_a_world_that_cannot_be_judged_is_an_env_error(checkout: Path) -> None:
    task = opened("eb_alfred", checkout)
    sample = next(task.samples())
    for world in (None, {}, {"objects": [{}]}):
        with pytest.raises(EnvError):
            task.judged(sample, Stepped(valid=True, feedback="x", done=False, world=world))


@pytest.mark.parametrize("name", ["eb_alfred", "eb_habitat"])
def test_without_the_simulator_the_task_says_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [v for v in os.environ if v.startswith("ER_BENCH_SIM_")]:
        monkeypatch.delenv(variable)
    why = open_task(name, tmp_path).unavailable()
    assert why and "is not installed" in why and "set ER_BENCH_SIM_" in why


# EB-Habitat


def episode_fields(**change: Any) -> dict[str, Any]:
    goal = {
        "expr_type": "AND", "quantifier": "EXISTS",
        "inputs": [{"name": "X", "expr_type": "apple"}],
        "sub_exprs": ["on_top(X, table)", "not_holding()"],
    }  # fmt: skip
    return {
        "episode_id": "7", "scene_id": "v3_sc0", "instruction": "Apple to the table.",
        "goal_preds": goal, "subgoals": [["holding(013_apple_:0000)"]], "start_preds": [],
        "rigid_objs": np.array([[0, 0], [0, 1], [1, 2]]),
        "name_to_receptacle": np.array([[3, 5], [4, 5]]), "sampled_entities": {}, **change,
    }  # fmt: skip


def habitat_file(root: Path, subset: str, *episodes: dict[str, Any], **change: Any) -> Path:
    names = {0: "013_apple.object_config.json", 1: "024_bowl.object_config.json",
             3: "013_apple_:0000", 4: "013_apple_:0001", 5: "table"}  # fmt: skip
    content = {"all_transforms": np.stack([np.eye(4)] * 3), "idx_to_name": names,
               "all_eps": list(episodes), **change}  # fmt: skip
    path = root / "embodiedbench/envs/eb_habitat/datasets" / f"{subset}.pickle"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=4))
    return path


def test_the_episodes_of_eb_habitat(checkout: Path) -> None:
    habitat_file(checkout, "long_horizon", episode_fields())
    habitat_file(checkout, "base", episode_fields(), episode_fields(instruction="Again."))
    task = opened("eb_habitat", checkout)
    samples = list(task.samples())
    assert [s.id for s in samples] == ["base/0", "base/1", "long_horizon/0"]
    episode: pickles.HabitatEpisode = samples[0].target.episode
    assert list(episode.objects) == ["013_apple_:0000", "013_apple_:0001", "024_bowl_:0000"]
    assert episode.receptacle_of == {"013_apple_:0000": "table", "013_apple_:0001": "table"}
    task.check(samples[0])
    asked = task.episode(samples[1])
    assert asked.spec and asked.spec["index"] == 1 and asked.seed == 100
    text = prompt_text(task, samples[0])
    assert "Example 9: \n h9" in text and "h10" not in text  # ten shots


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch /tmp/er-bench-was-here",))


@pytest.mark.parametrize("hidden", [Bomb(), {"x": [Bomb()]}, np.array([Bomb()], dtype=object)])
def test_a_pickle_with_anything_but_numpy_is_refused(hidden: object, tmp_path: Path) -> None:
    path = tmp_path / "base.pickle"
    path.write_bytes(pickle.dumps(hidden))
    with pytest.raises(DataError, match=r"system is not allowed"):
        pickles.load(path)
    assert not Path("/tmp/er-bench-was-here").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\x80\x04garbage", "not an episode file"), (b"", "not an episode file"),
     (pickle.dumps([1]), "expected all_transforms")],
)  # fmt: skip
def test_a_damaged_file_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "base.pickle"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{words}.*base\.pickle"):
        pickles.episodes(path)


def test_a_bad_episode_is_named(checkout: Path) -> None:
    path = habitat_file(checkout, "base", episode_fields(), episode_fields(rigid_objs=[[99, 0]]))
    with pytest.raises(DataError, match="row 1"):
        pickles.episodes(path)


def test_a_goal_that_cannot_be_evaluated_is_a_fault_of_the_row(checkout: Path) -> None:
    boat = [{"name": "X", "expr_type": "boat"}]
    goal = {"expr_type": "AND", "quantifier": "EXISTS", "inputs": boat, "sub_exprs": ["in(X, y)"]}
    habitat_file(checkout, "base", episode_fields(goal_preds=goal))
    task = opened("eb_habitat", checkout)
    with pytest.raises(DataError, match=r"boat.*field goal_preds"):
        task.check(next(task.samples()))


def test_an_lfs_pointer_is_not_taken_for_the_file(checkout: Path) -> None:
    path = habitat_file(checkout, "base")
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(DataError, match="git lfs pull"):
        list(opened("eb_habitat", checkout).samples())


def test_no_file_at_all_lists_what_was_looked_for(checkout: Path) -> None:
    with pytest.raises(DataError, match=r"visual_appearance\.pickle"):
        list(opened("eb_habitat", checkout).samples())


def test_there_are_70_actions_and_the_ids_of_the_released_examples_fit() -> None:
    # EmbodiedBench config/habitat_examples.json, commit b247936
    assert len(ACTIONS) == 70 and len(CATEGORIES) == 33
    known = {
        6: "navigate to the table 1", 7: "navigate to the table 2", 12: "navigate to the sofa",
        11: "navigate to the left counter in the kitchen", 13: "navigate to the refrigerator",
        28: "pick up the sponge", 42: "pick up the bowl", 47: "pick up the toy airplane",
        50: "place at the table 1", 51: "place at the table 2", 61: "close the refrigerator",
    }  # fmt: skip
    assert {i: ACTIONS[i] for i in known} == known


def test_every_handle_has_one_category() -> None:
    assert category_of("072-c_toy_airplane_:0003") == "toy airplane"
    assert category_of("frl_apartment_cup_03_:0000") == "cup"
    assert category_of("kitchen_counter_:0000") is None
    parts = [part for parts in CATEGORIES.values() for part in parts]
    assert len(parts) == len(set(parts))
    assert entities(["013_apple_:0000", "sofa"])["apple"] == ["013_apple_:0000"]


def test_a_protocol_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="repaired"):
        open_task("eb_alfred", tmp_path, "lenient")


def test_a_run_without_simulators_has_no_number_and_exit_code_3(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "er_bench.cli.main",
        "run",
        "--model",
        "reference/random-action",
    ]
    command += ["--tasks", "eb_alfred,eb_habitat", "--out", str(tmp_path / "out")]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ER_BENCH_SIM_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120)
    assert done.returncode == 3, done.stderr
    tasks = json.loads((tmp_path / "out" / "results.json").read_text())["tasks"]
    for name in ("eb_alfred", "eb_habitat"):
        assert (tasks[name]["status"], tasks[name]["score"]) == ("unavailable", None)
        assert "set ER_BENCH_SIM_" in tasks[name]["why"]
