"""An agent: what a task is given to ask, or to act with; retries, limits, keeping are behind it."""

from __future__ import annotations

from typing import Protocol

from er_bench.core.environment import Episode, Started
from er_bench.core.policy import Observation
from er_bench.core.prompt import Prompt
from er_bench.core.rollout import Turn


class Actor(Protocol):
    """The policy under test in one episode."""

    async def act(self, observation: Observation, *, keep: bool = True) -> Turn:
        """Say what to do next: a turn with `control`. `keep` keeps the pictures that were seen.

        Raises ModelError when the policy failed for good, or acts in another space.
        """

    async def end(self, success: bool | None) -> None:
        """Say that the episode is over; `success` is None where it broke off."""


class Agent(Protocol):
    """The model under test, as a task sees it."""

    looks_every: int
    """Every how many steps its policy looks at a picture, 0 for never; see `Policy`."""

    async def ask(self, prompt: Prompt) -> Turn:
        """Ask once. Raises ModelError when the request failed for good."""

    def begin(self, episode: Episode, start: Started) -> Actor:
        """Begin an episode that a policy acts in. Raises ModelError when it cannot act there."""
