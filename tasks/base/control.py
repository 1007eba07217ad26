"""The control loop: a policy acts, one simulator moves, one place for the limits."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from er_bench.core.agent import Actor, Agent
from er_bench.core.answer import Answer
from er_bench.core.environment import Environment, Environments, Episode, Started
from er_bench.core.errors import EnvError, UnavailableError, UsageError
from er_bench.core.new_episodes import NewEpisodes
from er_bench.core.policy import Observation
from er_bench.core.record import ELAPSED
from er_bench.core.rollout import Control, EpisodeStart, Rollout, Turn
from er_bench.core.sample import Sample, T
from er_bench.core.score import (
    Aggregate,
    Score,
    Scored,
    Verdict,
    category_means,
    counted,
    mean,
)
from er_bench.core.task import OFFICIAL, ROBUST, Reading, Task
from er_bench.scorers.episode import Ending
from er_bench.sim.simulators import environments, simulator, why_unavailable


class SuccessMode(StrEnum):
    """When success is read, and whether it ends the episode. The names are those of vla-eval 0.8.0.

    (`vla_eval/benchmarks/simpler/benchmark.py`, which says who uses which.)
    """

    EARLY_STOP = "early_stop"
    """The first success ends the episode."""
    TRUNCATION = "truncation"
    """The episode runs to its limit; what holds after the last step counts."""
    ACCUMULATE = "accumulate"
    """The episode runs to its limit; a success after any step counts."""

    def holds(self, success: Sequence[bool]) -> bool:
        """Whether an episode has succeeded, from what held after each of its steps."""
        if self is SuccessMode.TRUNCATION:
            return bool(success) and success[-1]
        return any(success)


_RULES = {
    SuccessMode.EARLY_STOP: "success at any step",
    SuccessMode.TRUNCATION: "success after the last step",
    SuccessMode.ACCUMULATE: "success at any step of an episode that is played to its limit",
}


class ControlTask(Task[T]):
    """A task whose samples are episodes that a policy acts in.

    A subclass says what an episode is and names the simulator. An episode ends at its first
    success where the mode says so, at the step limit, or when the simulator ends it.
    """

    needs_policy = True
    max_steps: ClassVar[int] = 500
    control_hz: ClassVar[float]
    """Control steps a second of simulated time."""
    film_every: ClassVar[int] = 50
    """A picture is kept every so many steps, for people; drawing takes most of a simulator's
    time."""
    success_mode: SuccessMode = SuccessMode.EARLY_STOP
    simulator: ClassVar[str]
    """Its name in the registry."""
    _environments: Environments | None = None

    @abstractmethod
    def episode(self, sample: Sample[T], picture_every: int) -> Episode:
        """What the simulator is asked to start; it draws every so many steps."""

    def write_new_episodes(self, root: Path, wanted: NewEpisodes) -> None:
        """Write rows of new episodes into a folder, in the task's own format, to record in.

        Raises UsageError where the task has none beyond its rows, or not of those kinds.
        """
        raise UsageError(f"{self.card.name} has no episodes beyond those that it is measured by")

    def fingerprint(self, sample: Sample[T]) -> str:
        """The simulator's `episode_fingerprint` of a row, where it is known without asking it."""
        del sample
        return ""

    def step_limit(self, sample: Sample[T]) -> int:
        """The most steps of one episode."""
        del sample
        return self.max_steps

    def open_environments(self) -> Environments:
        """Where simulators come from; called once, inside the event loop."""
        return environments(simulator(self.simulator))

    def unavailable(self) -> str | None:
        """Why the simulator cannot run where the environment variables say it is."""
        return why_unavailable(simulator(self.simulator))

    @cached_property
    def readings(self) -> Mapping[str, Reading[T]]:
        """Success; official and robust agree on it, for nothing is read.

        `any_step` beside them where an episode goes on after a success: what `accumulate` would
        have counted.
        """
        mode = self.success_mode
        readings: dict[str, Reading[T]] = {
            OFFICIAL: _reading(mode, self.card.sources[0]),
            ROBUST: _reading(mode, "er-bench"),
        }
        if mode is SuccessMode.TRUNCATION:
            readings["any_step"] = _reading(SuccessMode.ACCUMULATE, self.card.sources[0])
        return readings

    async def close(self) -> None:
        """End the simulators."""
        if self._environments is not None:
            await self._environments.close()
            self._environments = None

    async def solve(self, sample: Sample[T], agent: Agent) -> Rollout:
        """Run one episode. Raises EnvError, ModelError."""
        if self._environments is None:
            self._environments = self.open_environments()
        episode = self.episode(sample, agent.looks_every or self.film_every)
        limit = self.step_limit(sample)
        try:
            async with self._environments.acquire(episode) as environment:
                return await self._play(episode, agent, environment, limit)
        except UnavailableError as error:
            raise EnvError(str(error)) from error

    async def _play(
        self, episode: Episode, agent: Agent, environment: Environment, limit: int
    ) -> Rollout:
        began = time.monotonic()
        start = await environment.reset(episode)
        if start.action_space is None:
            raise EnvError("the simulator takes skills, no vectors that a policy could act by")
        actor, success = agent.begin(episode, start), None
        try:
            turns, ending = await self._turns(actor, start, environment, limit)
            success = self.success_mode.holds(_successes(turns))
        finally:
            await actor.end(success)
        elapsed_s = round(time.monotonic() - began, 3)
        told = EpisodeStart(
            start.instruction, (), start.simulator, start.episode_fingerprint, start.action_space
        )
        return Rollout(tuple(turns), told, str(ending), elapsed_s)

    async def _turns(
        self, actor: Actor, start: Started, environment: Environment, limit: int
    ) -> tuple[list[Turn], Ending]:
        """Let the policy act until the episode ends; what was done, and the ending."""
        observation = Observation.of(start, start)
        turns: list[Turn] = []
        n_steps, next_kept, ending = 0, 0, None
        while ending is None:
            keep = n_steps >= next_kept
            next_kept += self.film_every * keep
            turn = await actor.act(observation, keep=keep)
            left = limit - n_steps
            observation, control, ending = await self._carry_out(turn, start, environment, left)
            n_steps += len(control.actions_td)
            turns.append(replace(turn, control=control))
        return turns, ending

    async def _carry_out(
        self, turn: Turn, start: Started, environment: Environment, n_left: int
    ) -> tuple[Observation, Control, Ending | None]:
        """Do a chunk of actions until the episode ends; what is seen then, and the ending."""
        assert turn.control is not None, "an actor's turn"
        ending: Ending | None = None
        done: list[tuple[float, ...]] = []
        success: list[bool] = []
        rewards: list[float] = []
        for action in turn.control.actions_td:
            seen = await environment.step(np.array(action))
            if seen.success is None:
                raise EnvError("the simulator does not say whether the episode has succeeded")
            done.append(action)
            success.append(seen.success)
            rewards += [] if seen.reward is None else [seen.reward]
            if seen.success and self.success_mode is SuccessMode.EARLY_STOP:
                ending = Ending.SUCCESS
            elif len(done) >= n_left:
                ending = Ending.ENV_STEPS
            elif seen.done:
                ending = Ending.SIMULATOR
            if ending is not None:
                break
        told = Control(tuple(done), tuple(success), tuple(rewards))
        return Observation.of(start, seen), told, ending


def _reading(mode: SuccessMode, source: str) -> Reading[T]:
    judge = partial(_verdict, mode=mode)
    return Reading("the simulator's word", _RULES[mode], source, judge, mean_over_skills)


def _successes(turns: Sequence[Turn]) -> list[bool]:
    """What held after each step."""
    return [held for turn in turns if turn.control is not None for held in turn.control.success]


def _verdict(sample: Sample[T], rollout: Rollout, *, mode: SuccessMode) -> Verdict:
    """Success as the mode reads it, and beside it the steps and the sum of rewards."""
    del sample
    controls = [turn.control for turn in rollout.turns if turn.control is not None]
    success = mode.holds(_successes(rollout.turns))
    n_steps = sum(len(control.actions_td) for control in controls)
    rewards = [reward for control in controls for reward in control.rewards]
    parts = {"task_success": float(success), "num_steps": float(n_steps)}
    parts |= {"return": sum(rewards)} if len(rewards) == n_steps else {}
    parts[ELAPSED] = rollout.elapsed_s or 0.0
    why = f"{rollout.ending} after {n_steps} steps"
    return Verdict.of(Answer(f"{n_steps} steps"), Score(float(success), parts, why))


def mean_over_skills(scored: Sequence[Scored]) -> Aggregate:
    """The mean over categories of the share of successes; beside it, means over episodes."""
    categories = category_means(counted(scored))
    metrics = {
        name: mean([s.parts[name] for s in scored if name in s.parts])
        for name in ("num_steps", "return")
    }
    return Aggregate(mean(list(categories.values())), categories, metrics)
