"""A backend of the tests for `--include-path`: it answers slowly, and notes who was asked what."""

from __future__ import annotations

from pathlib import Path

PLUGIN = '''
"""Models that note in a folder, beside what they do, which process was asked and has answered."""
import asyncio, os, re, sys
from pathlib import Path
import numpy as np
from er_bench.core.completion import Completion
from er_bench.core.errors import ModelError
from er_bench.core.model import Model
from er_bench.core.policy import Actions


class Noting(Model):
    concurrency = 3

    def __init__(self, settings):
        self.name, self.dialect, self._settings = settings.name, settings.dialect, settings
        self.folder = Path(settings.args["folder"])
        self.acts = settings.checkpoint == "pusher"
        self.asks = not self.acts

    def identity(self):
        return self._settings.identity("noting", node=os.environ.get("DIFFERS", ""))

    async def check(self):
        ray = sys.modules.get("ray")
        node = ray.get_runtime_context().get_node_id() if ray and ray.is_initialized() else ""
        (self.folder / f"{os.getpid()}.pid").write_text(node)

    def note(self, what):
        with (self.folder / "notes").open("a") as file:
            file.write(f"{os.getpid()} {what}\\n")

    async def ask(self, prompt):
        said = re.search(r"Question (\\d+): say (\\w)", prompt.text())
        self.note(f"asked {said[1]}")
        await asyncio.sleep(0.15)
        if self._settings.checkpoint == "refuses":
            raise ModelError("not this one", retryable=False)
        self.note(f"answered {said[1]}")
        return Completion(said[2], "stop")

    def policy(self, subject):
        return Pusher(self)


class Pusher:
    looks_every, knows_expert = 1, False

    def __init__(self, model, goal_m=None, space=None):
        self.model, self.goal_m, self.space = model, goal_m, space

    def for_episode(self, episode, start):
        self.model.note(f"began {episode.id}")
        goal_m = np.array([float(n) for n in start.instruction.split()[-2:]])
        return Pusher(self.model, goal_m, start.action_space)

    async def act(self, observation):
        await asyncio.sleep(0.1)
        self.model.note("acted")
        push = np.clip(self.goal_m - observation.state_d, -0.1, 0.1)
        return Actions(push[None], self.space.units, self.space.frame)

    async def end(self, success):
        self.model.note(f"ended {success}")


BACKENDS = {"noting": Noting}
'''


def write_plugin(root: Path) -> Path:
    """Write the backend `noting` into a folder for --include-path, and return it."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "plugin.py").write_text(PLUGIN)
    return root


def notes(folder: Path) -> list[list[str]]:
    """What was noted: process, what, which."""
    path = folder / "notes"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []
