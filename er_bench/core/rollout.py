"""A rollout: what happened between a sample and an agent, turn by turn, ready to be judged."""

from __future__ import annotations

import json
from dataclasses import dataclass

from er_bench.core.completion import Completion
from er_bench.core.errors import DataError
from er_bench.core.sample import MediaRef
from er_bench.core.space import Space


@dataclass(frozen=True, slots=True)
class Step:
    """One action in an environment, and what came back."""

    action: str
    """The skill's name."""
    action_id: int
    """Its place in the episode's list of actions."""
    valid: bool
    """Whether the action could be done."""
    feedback: str
    """What the agent was told."""
    success: bool
    progress: float
    """In [0, 1]."""
    goal_conditions: tuple[int, int] | None = None
    """(met, total), where the goal is made of conditions."""
    reward: float | None = None
    """The simulator's own, if it has one."""
    done: bool = False
    """Whether the simulator itself ended the episode."""
    sim_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Control:
    """What a policy said at once, as far as it was carried out, and what came of each action."""

    actions_td: tuple[tuple[float, ...], ...]
    """In the episode's `action_space`, in order."""
    success: tuple[bool, ...] = ()
    """After each action."""
    rewards: tuple[float, ...] = ()
    """After each action; empty where the simulator has none."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One exchange: what was shown, what was answered, what an environment said back."""

    completion: Completion
    prompt_sha256: str = ""
    """Identity of the prompt; its words are in the run's `prompts.jsonl`."""
    media: tuple[MediaRef, ...] = ()
    """The pictures and videos of the prompt, in order."""
    steps: tuple[Step, ...] = ()
    """What was done with the answer, in an episode."""
    control: Control | None = None
    """Of a policy, which is shown an observation and answers with actions; no completion then."""

    @property
    def said(self) -> str:
        """The answer as text: the completion's, or a policy's actions as JSON."""
        return json.dumps(self.control.actions_td) if self.control else self.completion.text


@dataclass(frozen=True, slots=True)
class EpisodeStart:
    """What an environment said at the start of an episode."""

    instruction: str
    actions: tuple[str, ...]
    """Names of the actions, by id."""
    simulator: str = ""
    """What simulates and draws."""
    fingerprint: str = ""
    """SHA-256 over the episode's start."""
    action_space: Space | None = None
    """What a policy's actions are; `actions` is empty then."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """Everything that happened on one sample; a judgement is a function of this and the sample."""

    turns: tuple[Turn, ...] = ()
    start: EpisodeStart | None = None
    """Set in episodes."""
    ending: str = ""
    """What ended an episode."""
    elapsed_s: float | None = None
    """How long an episode took."""

    @property
    def completion(self) -> Completion:
        """The completion of a question, which is asked once. Raises DataError for another count."""
        if len(self.turns) != 1:
            raise DataError(f"a question has one completion, its record has {len(self.turns)}")
        (turn,) = self.turns
        return turn.completion

    @classmethod
    def answered(cls, completion: Completion) -> Rollout:
        """A question answered elsewhere."""
        return cls((Turn(completion),))
