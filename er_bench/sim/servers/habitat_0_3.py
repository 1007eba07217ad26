"""EB-Habitat's world on habitat-lab 0.3.0 and habitat-sim 0.3.0. Python 3.8 syntax.

The task itself (actions, measures, goals) is defined by EmbodiedBench's `envs/eb_habitat`, derived
from apple/ml-llarp; this file loads that definition from the user's copy, starts the episode that
is asked for, and answers in the words of `EBHabEnv.py`, commit b247936.

Options: `embodiedbench`, the folder of an EmbodiedBench checkout whose
`embodiedbench/envs/eb_habitat/data` holds the ReplicaCAD assets.

Differences from the released run: the episode is chosen by its place in the file, where the
released iterator shuffles and then reports another episode's data; and the simulator is seeded at
each reset, so that a start pose does not depend on the episodes before.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import time
from typing import Any

PACKAGE = "embodiedbench.envs.eb_habitat"
DEFINITIONS = ("config", "config.default_structured_configs", "predicate_task", "measures",
               "actions", "sensors", "dataset.episodes")  # fmt: skip
CONFIG = "config/task/language_rearrangement.yaml"
CHECK_EPISODE = "base/0"
SUCCESS, FAILURE = "Last action executed successfully", "Last action is invalid."
PLACES = (
    ("table_0", "table {}"),
    ("fridge", "refrigerator push point"),
    ("refrigerator", "refrigerator"),
    ("drawer_right", "right drawer of the kitchen counter"),
    ("drawer_left", "left drawer of the kitchen counter"),
    ("chair_0", "chair {}"),
    ("tvstand", "TV stand"),
    ("counter_left", "left counter in the kitchen"),
    ("counter_right", "right counter in the kitchen"),
    ("sink", "sink in the kitchen"),
    ("sofa", "sofa"),
)
"""Names of receptacles for actions: the first part that a handle holds decides."""


def action_name(skill: str, handles: list[str]) -> str:
    """A PDDL action in words, `transform_action_to_natural_language`."""
    if "nav" in skill:
        return f"navigate to the {place_name(handles[0])}"
    if "pick" in skill:
        return "pick up the " + skill.split("_")[1]
    for verb in ("open", "close"):
        if verb in skill:
            cabinet = handles[0].split("_")[-1] if handles else ""
            return f"{verb} the " + ("refrigerator" if "fridge" in skill else f"cabinet {cabinet}")
    if "place" in skill:
        return f"place at the {place_name(handles[0])}"
    raise RuntimeError(f"the domain has an unknown action {skill}")


def place_name(handle: str) -> str:
    """A receptacle's name in words, `add_receptacle`."""
    for part, name in PLACES:
        if part in handle:
            return name.format(handle.split(part)[1])
    if "cab" in handle:
        return "cabinet " + handle.split("_")[-1]
    raise RuntimeError(f"the domain has an unknown receptacle {handle}")


def feedback(invalid: bool, action: str, holding: bool) -> str:
    """What the agent is told, `get_env_feedback`.

    `action` is the PDDL call, `open_cab(cab_push_point_7)`. The cabinet is named by the second word
    of its handle, as the released code does: "cabinet push".
    """
    if invalid:
        return FAILURE + _problem(action, holding)
    if "pick" in action:
        thing = action.split("(")[0].split("_")[1]
        return f"{SUCCESS} and you are holding {thing}."
    if "place" in action:
        return f"{SUCCESS} and you are holding nothing."
    for verb, state in (("open", "open"), ("close", "closed")):
        if verb in action:
            if "fridge" in action:
                return f"{SUCCESS} and now refrigerator is {state}."
            cabinet = action.split("(")[1].strip(")").split("_")[1]
            return f"{SUCCESS} and now cabinet {cabinet} is {state}."
    return SUCCESS + "."


def _problem(action: str, holding: bool) -> str:
    elsewhere = " that is not near the robot. Navigate to other place to find the object."
    if "pick" in action:
        if holding:
            return (
                " Robot cannot pick any object when holding something. "
                "Please place the object before picking something."
            )
        return " Robot cannot pick any object" + elsewhere
    if "place" in action:
        if holding:
            return " Robot cannot place any object" + elsewhere
        return (
            " Robot cannot place any object when not holding something. "
            "Please pick the object before place it."
        )
    for verb, state in (("open", "open"), ("close", "closed")):
        if verb in action:
            return (
                f" Check whether the receptacle is already {state} "
                "or the robot is not near the receptacle."
            )
    return ""


class HabitatSimulator:
    """Episodes of one EmbodiedBench copy, one at a time, for `server.py`."""

    def __init__(self, options: dict[str, str]) -> None:
        if "embodiedbench" not in options:
            raise FileNotFoundError("give the EmbodiedBench checkout: embodiedbench=DIR")
        self._root = os.path.abspath(options["embodiedbench"])
        self._folder = os.path.join(self._root, *PACKAGE.split("."))
        self._loaded: tuple[str, int] | None = None
        self._env: Any = None
        self._dataset: Any = None
        self._actions: list[str] = []
        self._holding = False

    def hello(self) -> dict[str, object]:
        """Who this is."""
        lab, sim = (importlib.import_module(n).__version__ for n in ("habitat", "habitat_sim"))
        versions = {"habitat-lab": lab, "habitat-sim": sim}
        return {"env": "habitat", "env_version": sim, "versions": versions}

    def list_episodes(self, split: str) -> list[str]:
        """Every episode of a subset; for `check` the first one."""
        if split == "check":
            return [CHECK_EPISODE]
        self._load(split, 64)
        return [f"{split}/{index}" for index in range(len(self._dataset.episodes))]

    def _file(self, subset: str) -> str:
        path = os.path.join(self._folder, "datasets", f"{subset}.pickle")
        if os.sep in subset or not os.path.isfile(path):
            raise ValueError(f"there is no subset {subset!r}")
        return path

    def _load(self, subset: str, resolution: int) -> None:
        """Make the environment of one subset, unless it is there already."""
        if self._loaded == (subset, resolution):
            return
        path = self._file(subset)
        self.close()
        os.chdir(self._folder)  # its configuration names assets as data/...
        if self._root not in sys.path:
            sys.path.insert(0, self._root)
        for name in DEFINITIONS:
            importlib.import_module(f"{PACKAGE}.{name}")
        import habitat
        from habitat.datasets import make_dataset
        from habitat.gym import make_gym_from_config

        OmegaConf = importlib.import_module("omegaconf").OmegaConf
        hydra = importlib.import_module("hydra.core.global_hydra")
        hydra.GlobalHydra.instance().clear()
        config = habitat.get_config(os.path.join(self._folder, CONFIG))
        OmegaConf.set_readonly(config, False)
        config.habitat.dataset.data_path = path
        camera = config.habitat.simulator.agents.main_agent.sim_sensors.head_rgb_sensor
        camera.height = camera.width = resolution
        self._dataset = make_dataset(config.habitat.dataset.type, config=config.habitat.dataset)
        self._env = make_gym_from_config(config, self._dataset)
        skills = self._core.task.actions["pddl_hl_action"]._action_datas
        self._actions = [action_name(skill, handles) for skill, handles in skills]
        self._loaded = (subset, resolution)

    @property
    def _core(self) -> Any:
        """The `habitat.Env` under the gym wrappers."""
        return self._env.env.env._env

    def reset(
        self, episode_id: str, seed: int, resolution: int, episode: dict[str, object] | None
    ) -> dict[str, object]:
        """Start the episode `subset/index`; `episode` may hold the file's SHA-256."""
        subset, _, number = episode_id.rpartition("/")
        if not number.isdecimal():
            raise ValueError(f"there is no episode {episode_id!r}")
        digest = _sha256(self._file(subset))
        told = (episode or {}).get("file_sha256", digest)
        if told != digest:
            raise ValueError(f"{subset}.pickle here has SHA-256 {digest}, er-bench's has {told}")
        self._load(subset, resolution)
        if int(number) >= len(self._dataset.episodes):
            raise ValueError(f"there is no episode {episode_id!r}")
        self._env.seed(seed)
        wanted = self._dataset.episodes[int(number)]
        self._core.current_episode = wanted  # reset then keeps it
        obs, info = self._env.reset(return_info=True)
        if self._core.current_episode.episode_id != wanted.episode_id:
            raise RuntimeError("habitat started another episode")
        self._holding = False
        identity = f"{digest}/{number}/{seed}".encode()
        return {
            "instruction": info["lang_goal"],
            "actions": self._actions,
            "episode_fingerprint": hashlib.sha256(identity).hexdigest(),
            "obs": {"head_rgb": obs["head_rgb"][:, :, :3]},
        }

    def step(self, action: str) -> dict[str, object]:
        """Do one skill. Raises ValueError for one that there is not."""
        began = time.monotonic()
        obs, reward, done, info = self._env.step(self._actions.index(action))
        invalid, done_as = bool(info["was_prev_action_invalid"]), str(info["action"])
        said = feedback(invalid, done_as, self._holding)
        if not invalid and ("pick" in done_as or "place" in done_as):
            self._holding = "pick" in done_as
        success = bool(info["predicate_task_success"])
        return {
            "valid": not invalid,
            "feedback": said,
            "reward": float(reward),
            "done": bool(done),
            "success": success,
            "progress": 1.0 if success else float(info["task_progress"]),
            "sim_seconds": time.monotonic() - began,
            "obs": {"head_rgb": obs["head_rgb"][:, :, :3]},
        }

    def state(self) -> dict[str, object]:
        """The predicates that hold."""
        holding = self._core.task.pddl.get_true_predicates()
        return {"predicates": [predicate.compact_str for predicate in holding]}

    def close(self) -> None:
        """Close the environment."""
        if self._env is not None:
            self._env.close()
        self._env, self._loaded = None, None


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def create(options: dict[str, str]) -> HabitatSimulator:
    """The simulator, not yet started."""
    return HabitatSimulator(options)


def missing(options: dict[str, str]) -> str:
    """What must be installed first."""
    del options
    absent = [name for name in ("habitat", "habitat_sim") if not importlib.util.find_spec(name)]
    return f"this Python has no package {', '.join(absent)}" if absent else ""
