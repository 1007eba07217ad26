"""Vectors as actions: a policy drives a point over the wire, in this process and from a record."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from er_bench.core.environment import (
    Action,
    ActionError,
    Environment,
    Environments,
    Episode,
    Skill,
    Started,
    Stepped,
)
from er_bench.core.errors import EnvError
from er_bench.core.policy import Actions, Observation, Policy
from er_bench.sim import server
from er_bench.sim.client import Deadlines, Spawn
from er_bench.sim.conformance import check
from er_bench.sim.in_process import InProcessEnvironments
from er_bench.sim.pool import Pool
from er_bench.sim.recording import Recorded, Recording
from tests.sim.point_world import FRAME, MOST_M, PointWorld, pixel
from tests.sim.processes import left_behind, written

WORLD = Path(__file__).with_name("point_world.py")
EPISODE = Episode(id="point-7", scene="table", seed=3)
SHORT = Deadlines(hello=20, reset=10, step=5, close=2)
Lived = tuple[Started, list[Stepped]]


class Pusher:
    """Pushes towards the goal that the instruction names, two pushes at a time."""

    def __init__(self, goal_m: NDArray[np.float64] | None = None) -> None:
        self.goal_m, self.asked = goal_m, 0
        self.last: Pusher | None = None

    def for_episode(self, episode: Episode, start: Started) -> Policy:
        self.last = Pusher(np.array([float(n) for n in start.instruction.split()[-2:]]))
        return self.last

    async def act(self, observation: Observation) -> Actions:
        assert self.goal_m is not None and observation.state_d is not None
        assert observation.state_space and observation.state_space.units == ("m", "m")
        white = np.argwhere(observation.rgb_hwc("top").min(axis=2) == 255)
        assert white.tolist() == [list(pixel(observation.state_d))]
        assert set(observation.arrays) >= {"top_depth_m_hw"}
        self.asked += 1
        push_d = (self.goal_m - observation.state_d) / 2
        return Actions(np.stack([push_d, push_d]), ("m", "m"), FRAME)


async def drive(environment: Environment, policy: Policy, then: Callable[[int], None]) -> Lived:
    start = await environment.reset(EPISODE)
    assert start.action_space
    acting, seen, steps = policy.for_episode(EPISODE, start), start, list[Stepped]()
    while not (steps and steps[-1].done):
        actions = await acting.act(Observation.of(start, steps[-1] if steps else seen))
        actions.check(start.action_space)
        for action_d in actions.actions_td:
            steps.append(await environment.step(action_d))
            then(len(steps))
            assert len(steps) < 60
            if steps[-1].done:
                break
    return start, steps


def played(
    source: Environments, policy: Policy, then: Callable[[int], None] = lambda n: None
) -> Lived:
    async def run() -> Lived:
        try:
            async with source.acquire(EPISODE) as environment:
                return await drive(environment, policy, then)
        finally:
            await source.close()

    return asyncio.run(run())


def in_process() -> InProcessEnvironments:
    return InProcessEnvironments(lambda: PointWorld({}), "point")


def spawn(**options: object) -> Spawn:
    command = [sys.executable, server.__file__, f"--simulator={WORLD}"]
    command += [f"--option={key}={value}" for key, value in options.items()]
    return Spawn("point", command)


def test_a_policy_reaches_its_goal_over_the_wire_and_every_array_arrives_bit_for_bit() -> None:
    start, steps = played(Pool([spawn()], SHORT), Pusher())
    assert steps[-1].success and not steps[-2].success
    at_m = np.zeros(2)
    for step in steps:
        told_d, depth_m_hw = step.obs["told_d"], step.obs["top_depth_m_hw"]
        assert isinstance(told_d, np.ndarray) and isinstance(depth_m_hw, np.ndarray)
        at_m = at_m + told_d.clip(-MOST_M, MOST_M)
        assert step.state is not None and step.state.tobytes() == at_m.tobytes()
        assert depth_m_hw.dtype == np.float32 and (depth_m_hw == np.float32(at_m[0])).all()
    assert start.state is not None and start.state.tolist() == [0.0, 0.0]


def test_in_this_process_an_episode_goes_as_over_the_wire() -> None:
    assert played(in_process(), Pusher()) == played(Pool([spawn()], SHORT), Pusher())


def test_the_server_keeps_every_rule() -> None:
    findings = asyncio.run(check(spawn(), SHORT))
    assert [f for f in findings if not f.kept] == []
    assert len(findings) == 14


def test_a_server_killed_in_mid_episode_costs_a_process_and_no_question(tmp_path: Path) -> None:
    pids, undisturbed, policy = tmp_path / "pids", Pusher(), Pusher()

    def kill(n_steps: int) -> None:
        if n_steps == 5:
            os.kill(written(pids)[0], signal.SIGKILL)

    lived = played(Pool([spawn(pids=pids)], SHORT), policy, kill)
    assert lived == played(in_process(), undisturbed)
    assert policy.last and undisturbed.last and policy.last.asked == undisturbed.last.asked
    assert len(written(pids)) == 2 and left_behind(pids) == []


def test_a_fresh_world_that_differs_in_the_last_bit_is_another_story(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    def kill(n_steps: int) -> None:
        if n_steps == 5:
            os.kill(written(pids)[0], signal.SIGKILL)

    with pytest.raises(EnvError, match="went another way"):
        played(Pool([spawn(pids=pids, drift=1e-15)], SHORT), Pusher(), kill)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Skill("push"), r"actions are float64 \(2,\) here, not the str 'push'"),
        (np.zeros(3), r"not float64 \(3,\)"),
        (np.zeros((1, 2)), r"not float64 \(1, 2\)"),
        (np.zeros(2, np.float32), r"not float32 \(2,\)"),
        ([0.0, 0.0], r"not the list \[0.0, 0.0\]"),
        (np.array([0.0, np.nan]), "component 1 of the action is nan"),
        (np.array([-np.inf, 0.0]), "component 0 of the action is -inf"),
    ],
)
def test_an_action_of_another_kind_is_refused_before_it_is_sent(
    action: Action, words: str, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"

    async def refused(source: Environments) -> Stepped:
        try:
            async with source.acquire(EPISODE) as environment:
                await environment.reset(EPISODE)
                with pytest.raises(ActionError, match=f"point: step: bad_request: .*{words}"):
                    await environment.step(action)
                return await environment.step(np.array([0.05, 0.0]))
        finally:
            await source.close()

    over_the_wire = asyncio.run(refused(Pool([spawn(pids=pids)], SHORT)))
    assert over_the_wire == asyncio.run(refused(in_process()))
    assert over_the_wire.state is not None and over_the_wire.state.tolist() == [0.05, 0.0]
    assert len(written(pids)) == 1


def test_a_recorded_episode_plays_again_bit_for_bit(tmp_path: Path) -> None:
    lived = played(Recording(Pool([spawn()], SHORT), tmp_path), Pusher())
    assert played(Recorded(tmp_path), Pusher()) == lived
    assert {file.suffix for file in tmp_path.glob("*/*")} == {".png", ".npy", ".jsonl"}


def test_another_vector_than_the_recorded_one_is_an_env_error(tmp_path: Path) -> None:
    class Other(Pusher):
        def for_episode(self, episode: Episode, start: Started) -> Policy:
            return Pusher(np.array([1.0, -1.0]))

    played(Recording(in_process(), tmp_path), Pusher())
    with pytest.raises(EnvError, match=r"took action \[.*\] at entry 1, now \[0.5, -0.5\]"):
        played(Recorded(tmp_path), Other())
