"""Reference policies: the scripted expert, chance and rest, every control task's ceiling and floor.

- `reference/oracle` does what the simulator's own expert would do.
- `reference/chance` and `reference/random-action` act uniformly within the bounds of the space.
- `reference/blind` rests: every component is 0, moved into its bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ModelError
from er_bench.core.policy import EXPERT_ACTION, Actions, Observation
from er_bench.core.space import Space

KINDS = ("oracle", "chance", "random-action", "blind")


@dataclass(slots=True)
class ReferencePolicy:
    """One of them; deterministic for a name, whatever the order of episodes."""

    kind: str
    name: str
    """Of the sample and its repeat: where chance starts from."""
    space: Space | None = None
    """The action space of the episode that it is in."""
    rng: np.random.Generator = field(default_factory=np.random.default_rng)

    looks_every: ClassVar[int] = 0
    knows_expert: ClassVar[bool] = True

    def for_episode(self, episode: Episode, start: Started) -> ReferencePolicy:
        """The policy of an episode."""
        del episode
        rng = np.random.default_rng(list(self.name.encode()))
        return ReferencePolicy(self.kind, self.name, start.action_space, rng)

    async def act(self, observation: Observation) -> Actions:
        """One action."""
        space = self.space
        if space is None:
            raise ModelError("a reference policy acts in an episode, by vectors")
        chosen = self._expert(observation) if self.kind == "oracle" else self._bounded(space)
        return Actions(chosen[None], space.units, space.frame)

    def _expert(self, observation: Observation) -> NDArray[np.float64]:
        action_d = observation.arrays.get(EXPERT_ACTION)
        if action_d is None:
            raise ModelError("the simulator has no scripted expert for reference/oracle to follow")
        return np.asarray(action_d, np.float64)

    def _bounded(self, space: Space) -> NDArray[np.float64]:
        low, high = space.low, space.high
        if low is None or high is None:
            raise ModelError("the action space has no bounds for a reference policy to keep to")
        if self.kind == "blind":
            return np.clip(np.zeros(space.dimension), low, high)
        return self.rng.uniform(low, high)
