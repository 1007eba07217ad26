"""Run episodes one at a time and many at once against a model that takes its time to answer.

    python benchmarks/episodes.py [EPISODES] [LATENCY_MS]      16 episodes, 200 ms by default

Both runs go through the runner, the episode loop and simulator processes on the wire. Prints the
throughput of both and requires that the many-at-once run is at least 0.75 times as many times
faster as it has episodes in flight, and that its records equal those of the other run but for
times.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from er_bench import runner
from er_bench.card import TaskCard
from er_bench.episode import EpisodeTask, Turn
from er_bench.model import Model
from er_bench.outcome import Outcome
from er_bench.prompt import Completion, Expect, Prompt, user
from er_bench.sample import Blob, Image, Sample
from er_bench.sim import server
from er_bench.sim.client import Spawn
from er_bench.sim.environment import Environments, Episode, Started
from er_bench.sim.pool import Pool

WORLD = Path(__file__).parent.parent / "tests" / "sim" / "counting_world.py"
CARD = TaskCard.model_validate(
    {
        "name": "counting",
        "title": "Counting",
        "summary": "Add ones until the number is reached.",
        "groups": [],
        "dataset": {"id": None, "licence": "MIT"},
        "metric": {"name": "success", "description": "share", "aggregate": "mean"},
        "cluster": "the episode",
        "sources": ["this file"],
    }
)
GOAL, STEPS_A_PLAN = 20, 1
TIMES = {"seconds", "latency_s", "sim_seconds", "elapsed_s", "episode_elapsed_seconds"}


class Counting(EpisodeTask):
    """Episodes of a small world behind the wire; twenty additions, one a plan."""

    def __init__(self, n_episodes: int, processes: int) -> None:
        super().__init__(CARD, Path())
        self._n_episodes, self._processes = n_episodes, processes

    def samples(self) -> Iterator[Sample]:
        """So many episodes."""
        for k in range(self._n_episodes):
            yield Sample(f"count/{k}", (), None, f"{k}", "base", "benchmarks/episodes.py")

    def episode(self, sample: Sample) -> Episode:
        """One goal for all."""
        return Episode(id=f"count-{GOAL}", scene=sample.cluster, resolution=500)

    def plan_prompt(
        self, sample: Sample, start: Started, history: Sequence[Turn], image: Blob
    ) -> Prompt:
        """The picture and the history."""
        told = "\n".join(turn.feedback for turn in history)
        return Prompt((user(Image(image), f"{start.instruction}\n{told}"),), Expect.PLAN)

    def open_environments(self) -> Environments:
        """As many processes as episodes may be in flight."""
        command = [sys.executable, server.__file__, f"--simulator={WORLD}"]
        return Pool([Spawn("counting", command) for _ in range(self._processes)])


class Slow(Model):
    """Answers every prompt with the next addition, after a while."""

    def __init__(self, latency_s: float) -> None:
        self.name, self._latency_s = "slow", latency_s

    async def ask(self, prompt: Prompt) -> Completion:
        """Look at the picture, wait, plan."""
        for part in prompt.parts():
            if isinstance(part, Image):
                part.blob.read()
        await asyncio.sleep(self._latency_s)
        plan = [{"action_id": 0, "action_name": "add one"}] * STEPS_A_PLAN
        return Completion(json.dumps({"executable_plan": plan}), latency_s=self._latency_s)

    def identity(self) -> dict[str, Any]:
        """Its name."""
        return {"name": self.name}


def run(n_episodes: int, at_once: int, latency_s: float) -> tuple[float, list[Outcome]]:
    """Seconds and outcomes of one run, simulator start-up included."""
    outcomes: list[Outcome] = []
    job = runner.Job(Counting(n_episodes, at_once), lambda sample, repeat: True)
    began = time.monotonic()
    asyncio.run(runner.run([job], Slow(latency_s), outcomes.append, concurrency=at_once))
    return time.monotonic() - began, outcomes


def comparable(outcomes: Sequence[Outcome]) -> list[str]:
    """The records in one order, without times."""
    return sorted(json.dumps(without_times(o.to_json()), sort_keys=True) for o in outcomes)


def without_times(value: Any) -> Any:
    """A record without what differs from run to run."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMES}
    return [without_times(v) for v in value] if isinstance(value, (list, tuple)) else value


def main() -> int:
    """Both runs, the comparison, the verdict."""
    told = [int(word) for word in sys.argv[1:]]
    n_episodes, latency_ms = (told + [16, 200][len(told) :])[:2]
    one_s, one = run(n_episodes, 1, latency_ms / 1000)
    many_s, many = run(n_episodes, n_episodes, latency_ms / 1000)
    scores = [o.score.official for o in one if o.score]
    equal = comparable(one) == comparable(many)
    print(f"{n_episodes} episodes, {GOAL // STEPS_A_PLAN} plans each, a plan takes {latency_ms} ms")
    print(f"one at a time:  {one_s:6.1f} s  {n_episodes / one_s:6.2f} episodes/s")
    print(f"all at once:    {many_s:6.1f} s  {n_episodes / many_s:6.2f} episodes/s")
    print(f"ratio {one_s / many_s:.1f}, records {'equal' if equal else 'DIFFER'}")
    print(f"success {sum(s or 0 for s in scores):.0f} of {len(scores)}")
    return 0 if equal and one_s / many_s >= 0.75 * n_episodes else 1


if __name__ == "__main__":
    sys.exit(main())
