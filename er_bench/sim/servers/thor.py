"""AI2-THOR with the household skills of `thor_skills.py`. Python 3.8, standard library, ai2thor.

Controller calls follow EmbodiedBench `envs/eb_alfred/EBAlfEnv.py` and
`thor_connector.py`, commit b247936, on ALFRED's `env/thor_env.py`. Goals are not judged here: each
step carries the facts that they are judged by. Two variants:

- `variant=2.1`: ai2thor 2.1.0 (Python 3.9, an X server), as EB-ALFRED runs it;
- `variant=5`: ai2thor 5.0.0 with CloudRendering (no X server). Another renderer and other physics:
  its numbers are not EB-ALFRED's.

Options: `variant`, `x_display`, `executable` (a Unity build in place of the downloaded one),
`timeout_s` (how long Unity may take for one action, variant 5).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import time
from typing import Any, Protocol

try:
    from er_bench.sim.servers.thor_skills import CAMERA_Y, Json, Skills, Thing, episode_actions
except ImportError:  # beside this file, in the simulator's own environment
    from thor_skills import (  # type: ignore[import-not-found,no-redef]
        CAMERA_Y,
        Json,
        Skills,
        Thing,
        episode_actions,
    )

GRID, VISIBILITY, LOOK_DEGREES = 0.25, 1.5, 15
WORLD_FIELDS = (
    "objectId objectType pickupable receptacle toggleable isToggled visible receptacleObjectIds "
    "parentReceptacles"
).split()
CHECK_SCENE = "FloorPlan1"


class Event(Protocol):
    """What ai2thor answers to an action."""

    metadata: Json
    frame: Any
    """The agent's view, uint8 `(H, W, 3 or more)`."""


class Unity(Protocol):
    """ai2thor's Controller, as far as it is used here."""

    def reset(self, scene: str) -> Event:
        """Load a floor plan."""

    def step(self, action: Json) -> Event:
        """Do one action."""

    def stop(self) -> None:
        """End Unity."""


class Thor:
    """The Controller of one variant: one action in, metadata and a frame out."""

    event: Event
    """The answer to the last action."""
    _controller: Unity

    def __init__(self, options: dict[str, str]) -> None:
        self.options, self._size = options, 0

    def start(self, size: int) -> None:
        """Start Unity with a picture of this size, unless it runs already."""
        if size != self._size:
            self.stop()
            self._controller, self._size = self._open(size), size

    def _open(self, size: int) -> Unity:
        raise NotImplementedError

    def restore(self, scene: Json) -> None:
        """Load a floor plan and put its things where the episode wants them."""
        raise NotImplementedError

    def step(self, action: Json) -> bool:
        """Do one Controller call; whether Unity says that it succeeded."""
        if action["action"] in ("LookUp", "LookDown"):
            action = self._looked(LOOK_DEGREES if action["action"] == "LookDown" else -LOOK_DEGREES)
        try:
            self.event = self._controller.step(self.translated(action))
        except ValueError as error:
            raise RuntimeError(f"{action['action']}: {error}") from error
        return self.ok

    def translated(self, action: Json) -> Json:
        """The call as this variant of Unity knows it."""
        return action

    def _looked(self, degrees: float) -> dict[str, object]:
        agent = self.event.metadata["agent"]
        at = agent["position"]
        return {
            "action": "TeleportFull",
            "rotation": round(agent["rotation"]["y"], 4),
            "x": at["x"],
            "y": at["y"],
            "z": at["z"],
            "horizon": round(agent["cameraHorizon"] + degrees, 3),
        }

    @property
    def ok(self) -> bool:
        """Whether the last call succeeded."""
        return bool(self.event.metadata["lastActionSuccess"])

    @property
    def objects(self) -> list[Thing]:
        """Every object of the scene, in Unity's order."""
        found: list[Thing] = self.event.metadata["objects"]
        return found

    @property
    def held(self) -> list[Thing]:
        """What the agent holds."""
        found: list[Thing] = self.event.metadata["inventoryObjects"]
        return found

    @property
    def picture(self) -> object:
        """The agent's view, `(H, W, 3)` uint8."""
        return self.event.frame[:, :, :3]

    def stop(self) -> None:
        """End Unity."""
        if self._size:
            self._controller.stop()
        self._size = 0


class Thor21(Thor):
    """ai2thor 2.1.0."""

    def _open(self, size: int) -> Unity:
        from ai2thor.controller import Controller

        controller = Controller(quality="MediumCloseFitShadows")
        controller.local_executable_path = self.options.get("executable")
        controller.start(
            x_display=self.options.get("x_display", "1"),
            player_screen_height=size,
            player_screen_width=size,
        )
        unity: Unity = controller
        return unity

    def restore(self, scene: Json) -> None:
        """Reset, initialise twice and restore, as `_reset_controller` does."""
        self.event = self._controller.reset(f"FloorPlan{scene['scene_num']}")
        initialize = {
            "action": "Initialize",
            "gridSize": GRID,
            "cameraY": CAMERA_Y,
            "renderImage": True,
            "renderDepthImage": True,
            "renderClassImage": True,
            "renderObjectImage": True,
            "visibility_distance": VISIBILITY,
            "makeAgentsVisible": False,
        }
        self.step(initialize)
        self.step(initialize)
        if scene["object_toggles"]:
            self.step({"action": "SetObjectToggles", "objectToggles": scene["object_toggles"]})
        if scene["dirty_and_empty"]:
            change = {"action": "SetStateOfAllObjects"}
            self.step({**change, "StateChange": "CanBeDirty", "forceAction": True})
            self.step({**change, "StateChange": "CanBeFilled", "forceAction": False})
        self.step({"action": "SetObjectPoses", "objectPoses": scene["object_poses"]})


class Thor5(Thor):
    """ai2thor 5.0.0. Actions that changed since 2.1.0 are put in its terms."""

    def _open(self, size: int) -> Unity:
        from ai2thor.controller import Controller

        how: Json = {"platform": "CloudRendering"}
        if "executable" in self.options:
            how = {
                "local_executable_path": self.options["executable"],
                "x_display": self.options.get("x_display", ":0.0"),
            }
        unity: Unity = Controller(
            scene=CHECK_SCENE,
            width=size,
            height=size,
            gridSize=GRID,
            visibilityDistance=VISIBILITY,
            snapToGrid=False,
            quality="MediumCloseFitShadows",
            server_timeout=float(self.options.get("timeout_s", "60")),
            **how,
        )
        return unity

    def restore(self, scene: Json) -> None:
        """Reset and restore, with the actions that replaced those of 2.1.0."""
        self.event = self._controller.reset(f"FloorPlan{scene['scene_num']}")
        changes = [
            {"objectType": t["objectType"], "stateChange": "toggleable", "isToggled": t["isOn"]}
            for t in scene["object_toggles"]
        ]
        if scene["dirty_and_empty"]:
            for kind in sorted({p["objectName"].split("_")[0] for p in scene["object_poses"]}):
                dirty = {"objectType": kind, "stateChange": "dirtyable", "isDirty": True}
                filled = {"stateChange": "canFillWithLiquid", "isFilledWithLiquid": False}
                changes += [dirty, {"objectType": kind, **filled}]
        for change in changes:
            self.step({"action": "SetObjectStates", "SetObjectStates": change})
        self.step({"action": "SetObjectPoses", "objectPoses": scene["object_poses"]})

    def translated(self, action: Json) -> Json:
        """A call of 2.1.0 in the terms of 5.0.0."""
        name = action["action"]
        if name == "TeleportFull":
            turned = {"rotation": {"x": 0.0, "y": action["rotation"], "z": 0.0}, "standing": True}
            return {**action, **turned}
        if name == "PutObject":
            place = action["receptacleObjectId"]
            return {"action": name, "objectId": place, "forceAction": action["forceAction"]}
        if name == "RotateHand":
            return {"action": "RotateHeldObject", "pitch": action["x"], "yaw": 0, "roll": 0}
        return action


def feedback(problem: str, names: dict[str, str]) -> str:
    """What the agent is told, `get_env_feedback`; `names` are the numbered names by object id."""
    if not problem:
        return "Last action executed successfully."
    if "is not visible" in problem and "|" in problem:
        place = problem.split("because it is in ")[1].split(". Note")[0]
        named = names.get(place, place.split("|")[0])
        problem = problem.split(place)[0] + named + ". Go there to pick the object instead."
    return f"Last action is invalid. {problem}"


class ThorSimulator:
    """Episodes in AI2-THOR, one at a time, for `server.py`."""

    def __init__(self, options: dict[str, str]) -> None:
        self._variant = options.get("variant", "2.1")
        self._thor = {"2.1": Thor21, "5": Thor5}[self._variant](options)
        self._actions: list[str] = []
        self._ids: dict[str, str] = {}
        self._skills: Skills | None = None

    def hello(self) -> dict[str, object]:
        """Who this is."""
        import ai2thor

        version = getattr(ai2thor, "__version__", None) or _installed_version()
        versions = {"ai2thor": version}
        return {"env": f"thor-{self._variant}", "env_version": version, "versions": versions}

    def list_episodes(self, split: str) -> list[str]:
        """Episodes come with each reset; one bare kitchen is here to check the server with."""
        return [CHECK_SCENE] if split == "check" else []

    def reset(
        self, episode_id: str, seed: int, resolution: int, episode: Json | None
    ) -> dict[str, object]:
        """Start an episode, or the bare kitchen."""
        del seed
        if episode is None:
            if episode_id != CHECK_SCENE:
                raise ValueError(f"there is no episode {episode_id!r}")
            episode = {"instruction": "Look around.", "scene_num": 1, "object_poses": []}
            episode.update(object_toggles=[], dirty_and_empty=False, init_action=None)
        self._thor.start(resolution)
        self._thor.restore(episode)
        self._thor.step({"action": "GetReachablePositions"})
        reachable = self._thor.event.metadata["actionReturn"]
        if not reachable:
            raise RuntimeError("Unity knows no reachable position")
        if episode["init_action"]:
            begin = {k: v for k, v in episode["init_action"].items() if k != "rotateOnTeleport"}
            self._thor.step({**begin, "standing": True})
        self._skills = Skills(self._thor, reachable)
        self._actions, self._ids = episode_actions(self._thor.objects)
        told = json.dumps([self._variant, episode], sort_keys=True).encode()
        return {
            "instruction": episode["instruction"],
            "actions": self._actions,
            "episode_fingerprint": hashlib.sha256(told).hexdigest(),
            "obs": {"head_rgb": self._thor.picture},
        }

    def step(self, action: str) -> dict[str, object]:
        """Do one skill and send the world that goals are judged by."""
        assert self._skills is not None
        began, words = time.monotonic(), action
        if any(verb in words for verb in ("find", "open", "close")):
            start, _, last = words.rpartition(" ")
            words = f"{start} {self._ids.get(last, last)}"
        problem = self._skills.do(words)
        numbered = {object_id: name for name, object_id in self._ids.items()}
        return {
            "valid": not problem,
            "feedback": feedback(problem, numbered),
            "done": False,
            "sim_seconds": time.monotonic() - began,
            "world": self.state(),
            "obs": {"head_rgb": self._thor.picture},
        }

    def state(self) -> dict[str, object]:
        """The objects, what is held, and what was heated, cooled and cleaned."""
        assert self._skills is not None
        things = [{name: o.get(name) for name in WORLD_FIELDS} for o in self._thor.objects]
        return {
            "objects": things,
            "inventory": [{"objectId": o["objectId"]} for o in self._thor.held],
            "heated": sorted(self._skills.heated),
            "cooled": sorted(self._skills.cooled),
            "cleaned": sorted(self._skills.cleaned),
        }

    def close(self) -> None:
        """End Unity."""
        self._thor.stop()


def _installed_version() -> str:
    from importlib.metadata import version

    return version("ai2thor")


def create(options: dict[str, str]) -> ThorSimulator:
    """The simulator, not yet started."""
    return ThorSimulator(options)


def missing(options: dict[str, str]) -> str:
    """What must be installed first."""
    if importlib.util.find_spec("ai2thor") is None:
        return "this Python has no package ai2thor"
    have, want = _installed_version(), options.get("variant", "2.1")
    if not (have + ".").startswith(want + "."):
        return f"this Python has ai2thor {have}, not {want}"
    return ""
