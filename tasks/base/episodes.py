"""The episode loop: one model plans, one simulator acts, one place for the limits.

EmbodiedBench `evaluator/eb_alfred_evaluator.py` and `eb_habitat_evaluator.py`, commit b247936: the
prompt is rebuilt for each call and carries the newest image only; a plan is carried out until the
episode is done or an action fails, then the model plans again.
"""

from __future__ import annotations

import copy
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from er_bench.core.answer import Answer, Plan
from er_bench.core.dialect import AnyDialect
from er_bench.core.errors import EnvError, UnavailableError
from er_bench.core.model import Ask
from er_bench.core.outcome import Outcome
from er_bench.core.prompt import Prompt
from er_bench.core.sample import Blob, Sample
from er_bench.core.score import Score
from er_bench.core.task import Aggregate, Scored, Task, mean
from er_bench.data.rows import BytesBlob
from er_bench.reading.action_plan import (
    PlanReader,
    PlanReading,
    PlanStatus,
    read_robust,
    read_strict,
)
from er_bench.scorers.episode import Ending, StepResult, episode_parts
from er_bench.sim.environment import (
    Environment,
    Environments,
    Episode,
    OnDemand,
    ReplayEnvironments,
    Started,
    Stepped,
)

MEANS = (
    "task_progress",
    "task_progress_reached",
    "num_steps",
    "planner_steps",
    "num_invalid_actions",
    "num_invalid_action_ratio",
    "planner_output_error",
    "empty_plan",
    "robust_plan_parsed",
    "constrained_calls",
)


@dataclass(frozen=True, slots=True)
class EpisodeLimits:
    """When an episode ends (EBAlfEnv.py, EBHabEnv.py: `_max_episode_steps` and the next line)."""

    env_steps: int = 30
    invalid_actions: int = 10
    """Failed actions and unreadable plans together, over the whole episode."""

    @property
    def planner_calls(self) -> int:
        """A call either fails or takes a step, so there are never more than this."""
        return self.env_steps + self.invalid_actions


@dataclass(frozen=True, slots=True)
class Turn:
    """One action taken, as later prompts tell it."""

    action_id: int
    action: str
    feedback: str


class EpisodeTask(Task):
    """A task whose samples are episodes.

    A subclass says what an episode is, how the model is asked, and where simulators come from.
    """

    limits: ClassVar[EpisodeLimits] = EpisodeLimits()
    _environments: Environments | None = None
    _stored_elapsed_s: float | None = None

    @abstractmethod
    def episode(self, sample: Sample) -> Episode:
        """What the simulator is asked to start."""

    @abstractmethod
    def plan_prompt(
        self, sample: Sample, start: Started, history: Sequence[Turn], image: Blob
    ) -> Prompt:
        """The prompt of one planner call; `history` is empty at the first."""

    @abstractmethod
    def open_environments(self) -> Environments:
        """Where simulators come from; called once, inside the event loop."""

    def reader(self) -> PlanReader:
        """The reader that drives the episode; the released strict one by default."""
        return read_strict

    def judged(self, sample: Sample, step: Stepped) -> Stepped:
        """A step with success, progress and goal conditions filled in from its `world`.

        Called for steps of simulators that do not judge by themselves.
        """
        del sample
        return step

    def replaying(self, steps: tuple[Mapping[str, Any], ...]) -> Self:
        """The task with one stored episode in place of the simulator: scores it again."""
        other = copy.copy(self)
        other._environments = ReplayEnvironments(steps)
        other._stored_elapsed_s = steps[-1].get("elapsed_s") if steps else None
        return other

    def aggregate(self, scored: Sequence[Scored], reading: str = "official") -> Aggregate:
        """Mean task success, and beside it what tells how the episodes went."""
        return replace(super().aggregate(scored, reading), means=_means(scored))

    async def close(self) -> None:
        """End the simulators."""
        if self._environments is not None:
            await self._environments.close()
            self._environments = None

    async def solve(self, sample: Sample, ask: Ask) -> Outcome:
        """Run one episode and judge it. Raises EnvError, ModelError.

        What turns out to be missing only now (`unavailable` looks before the run, and not as far)
        is the simulator's failure, so that other tasks go on.
        """
        if self._environments is None:
            self._environments = self.open_environments()
        episode = self.episode(sample)
        run = _Run(self, sample, ask)
        try:
            async with self._environments.acquire(episode) as environment:
                ending = await run.drive(environment, episode)
        except UnavailableError as error:
            raise EnvError(str(error)) from error
        return run.outcome(ending)

    def prompt_sha256(self, sample: Sample, dialect: AnyDialect) -> str:
        """Identity of the prompt frame: that of an episode without actions."""
        del dialect
        start = Started(instruction="", actions=())
        return self.plan_prompt(sample, start, (), BytesBlob("step_0.png", None)).sha256()


def _means(scored: Sequence[Scored]) -> dict[str, float]:
    """Means over episodes under EmbodiedBench's names; the two rates are over the whole run."""
    parts = [s.score.parts for s in scored]
    means = {name: mean([p[name] for p in parts if name in p]) for name in MEANS}
    steps, calls, invalid, errors = (
        sum(p.get(name, 0.0) for p in parts)
        for name in ("num_steps", "planner_steps", "num_invalid_actions", "planner_output_error")
    )
    unread = sum(p.get("num_unread_plans", 0.0) for p in parts)
    rates = {
        "invalid_action_rate": invalid / (steps + unread) if steps + unread else float("nan"),
        "output_error_rate": errors / calls if calls else float("nan"),
    }
    return means | rates


class _Run:
    """One episode under way."""

    def __init__(self, task: EpisodeTask, sample: Sample, ask: Ask) -> None:
        self._task, self._sample, self._ask = task, sample, ask
        self._read = task.reader()
        self._log: list[dict[str, Any]] = []
        self._turns: list[Turn] = []
        self._steps: list[StepResult] = []
        self._plans: list[PlanReading] = []
        self._robust_plans = 0
        self._constrained = 0
        self._invalid = 0

    async def drive(self, environment: Environment, episode: Episode) -> Ending:
        """The loop, from reset to the end of the episode."""
        limits, began = self._task.limits, time.monotonic()
        start = await environment.reset(episode)
        self._log.append({"event": "reset", **start.model_dump(mode="json")})
        png = start.head_png
        while len(self._plans) < limits.planner_calls:
            if png is None and isinstance(environment, OnDemand):
                png = await environment.look()
            plan = await self._plan(start, png)
            if plan.status is PlanStatus.EMPTY:
                return self._end(Ending.EMPTY_PLAN, began)
            if plan.status is PlanStatus.INVALID:
                self._invalid += 1
                if self._invalid >= limits.invalid_actions:
                    return self._end(Ending.INVALID_PLAN, began)
                continue
            for action_id in plan.action_ids[: limits.env_steps - len(self._steps)]:
                step = await self._act(environment, start, action_id)
                png = step.head_png
                if ending := self._ended(step):
                    return self._end(ending, began)
                if not step.valid:
                    break
        raise AssertionError("an episode outlived its limits")

    async def _plan(self, start: Started, png: bytes | None) -> PlanReading:
        image = BytesBlob(f"step_{len(self._steps)}.png", png)
        prompt = self._task.plan_prompt(self._sample, start, tuple(self._turns), image)
        completion = await self._ask(prompt)
        plan = self._read(completion.text, start.actions)
        self._plans.append(plan)
        self._constrained += completion.constrained
        self._robust_plans += (
            plan.status is PlanStatus.INVALID
            and read_robust(completion.text, start.actions).status is PlanStatus.OK
        )
        return plan

    async def _act(self, environment: Environment, start: Started, action_id: int) -> Stepped:
        step = await environment.step(action_id)
        if step.success is None:
            step = self._task.judged(self._sample, step)
        if step.success is None or step.progress is None:
            raise EnvError("the simulator sent neither a judgement nor a world to judge by")
        action = start.actions[action_id]
        self._log.append(
            {
                "event": "step",
                "call": len(self._plans) - 1,
                "action_id": action_id,
                "action": action,
                **step.model_dump(mode="json", exclude={"world"}),
            }
        )
        self._turns.append(Turn(action_id, action, step.feedback))
        self._steps.append(StepResult(step.valid, step.success, step.progress, step.reward))
        self._invalid += not step.valid
        return step

    def _ended(self, step: Stepped) -> Ending | None:
        if step.success:
            return Ending.SUCCESS
        if len(self._steps) >= self._task.limits.env_steps:
            return Ending.ENV_STEPS
        if self._invalid >= self._task.limits.invalid_actions:
            return Ending.INVALID_ACTIONS
        return Ending.SIMULATOR if step.done else None

    def _end(self, ending: Ending, began: float) -> Ending:
        elapsed_s = self._task._stored_elapsed_s
        if elapsed_s is None:
            elapsed_s = round(time.monotonic() - began, 3)
        self._log.append({"event": "end", "ending": str(ending), "elapsed_s": elapsed_s})
        return ending

    def outcome(self, ending: Ending) -> Outcome:
        """The record: official and robust agree, because one reader has driven the episode."""
        parts = episode_parts(self._steps, self._plans, ending) | {
            "robust_plan_parsed": float(self._robust_plans),
            "constrained_calls": float(self._constrained),
            "episode_elapsed_seconds": self._log[-1]["elapsed_s"],
        }
        done = Plan(tuple(turn.action_id for turn in self._turns))
        read_any = any(plan.status is not PlanStatus.INVALID for plan in self._plans)
        official = Answer(done) if read_any else Answer.unparsed("no plan could be read")
        robust = Answer(done) if read_any or self._robust_plans else official
        score = Score(parts["task_success"], parts["task_success"], parts)
        return Outcome.scored(
            self._task.name, self._sample, official, robust, score, tuple(self._log)
        )
