"""The built-in home as a simulator (see `er_bench/sim/simulator.py`)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection
from typing import Protocol

import numpy as np

from er_bench.core.environment import HEAD_RGB
from er_bench.core.version import er_bench_version
from er_bench.worlds.home import generate_alfred as alfred
from er_bench.worlds.home import generate_rearrange as rearrange
from er_bench.worlds.home import renderer
from er_bench.worlds.home.mujoco_gl import versions
from er_bench.worlds.home.skills import Skills, conditions, start
from er_bench.worlds.home.world import Json


class HomeSimulator:
    """Both homes in one: an episode says which skills it is played with."""

    def __init__(self, on_demand: bool = False) -> None:
        self._on_demand = on_demand
        """Whether results come without pictures, which `look` draws."""
        self._spec: Json = {}
        self._skills: Skills | None = None
        self._n_px = 0

    def hello(self) -> dict[str, object]:
        """Name, versions and renderer."""
        name = renderer.choose()
        packages = {"numpy": np.__version__} | (versions() if name != renderer.NUMPY else {})
        return {
            "env": f"er-home+{name}",
            "env_version": er_bench_version(),
            "versions": packages,
            "capabilities": {"renderer": name, "skills": ["alfred", "rearrange"]},
        }

    def list_episodes(self, split: str) -> list[str]:
        """Names of episodes that a reset makes up from its seed: `alfred/base/0` and so on."""
        return [
            f"{skills}/{subset}/{index}"
            for skills, maker in _MAKERS.items()
            for subset in maker.SUBSETS
            for index in range(1 if split == "check" else maker.PER_SUBSET)
            if split in ("check", subset)
        ]

    def reset(
        self, episode_id: str, seed: int, resolution: int, episode: Json | None
    ) -> dict[str, object]:
        """Start the episode given, or make one up. Raises ValueError when it cannot be played."""
        if episode is None:
            episode = _made_up(episode_id, seed)
        try:
            skills = start(episode)
            conditions(episode, skills)
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"episode {episode_id!r} cannot be played: {error!r}") from error
        self._spec, self._skills, self._n_px = episode, skills, resolution
        return {
            "instruction": episode["instruction"],
            "actions": list(skills.actions),
            "episode_fingerprint": fingerprint(episode),
            "simulator": f"er-home {er_bench_version()}, {renderer.choose()}",
            "obs": self._observe(),
        }

    def step(self, action: str) -> dict[str, object]:
        """Do one skill and judge. Raises ValueError for an unknown one or before a reset."""
        if self._skills is None:
            raise ValueError("reset comes before step")
        began = time.monotonic()
        valid, feedback = self._skills.step(action)
        met, total = conditions(self._spec, self._skills)
        return {
            "valid": valid,
            "feedback": feedback,
            "done": met == total,
            "success": met == total,
            "progress": met / total,
            "goal_conditions": [met, total],
            "obs": self._observe(),
            "sim_seconds": time.monotonic() - began,
        }

    def _observe(self) -> dict[str, bytes]:
        return {} if self._on_demand else {HEAD_RGB: self.look()}

    def look(self) -> bytes:
        """The agent's view now, as PNG. Raises ValueError before a reset."""
        if self._skills is None:
            raise ValueError("reset comes before look")
        world = self._skills.world
        return renderer.png(world.solids(), world.camera(), self._n_px)

    def state(self) -> dict[str, object]:
        """The symbolic state."""
        return {} if self._skills is None else self._skills.world.to_json()

    def close(self) -> None:
        """Forget the episode; the renderer is shared and stays."""
        self._skills = None


class _Maker(Protocol):
    PER_SUBSET: int

    @property
    def SUBSETS(self) -> Collection[str]:
        """Names of the kinds of episode."""

    def episode(self, subset: str, index: int, seed: int) -> Json:
        """The episode that a seed makes."""


_MAKERS: dict[str, _Maker] = {"alfred": alfred, "rearrange": rearrange}


def _made_up(episode_id: str, seed: int) -> Json:
    skills, _, rest = episode_id.partition("/")
    subset, _, index = rest.partition("/")
    maker = _MAKERS.get(skills)
    if maker is None or subset not in maker.SUBSETS or not index.isdecimal():
        raise ValueError(f"there is no episode {episode_id!r}; an example is alfred/base/0")
    return maker.episode(subset, int(index), seed)


def fingerprint(episode: Json) -> str:
    """SHA-256 over the episode."""
    return hashlib.sha256(json.dumps(episode, sort_keys=True).encode()).hexdigest()
