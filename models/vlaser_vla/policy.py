"""The policy in an episode: what it is asked with, what it wants done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ModelError
from er_bench.core.policy import Actions, Observation
from er_bench.core.space import Space
from er_bench.models.vlaser_vla.adapters import adapter
from er_bench.models.vlaser_vla.engine import Numbers, state_of
from er_bench.models.vlaser_vla.settings import STATE, VlaSettings

Ask = Callable[[Observation, Numbers, NDArray[np.float32]], Awaitable[Numbers]]
"""A chunk for an observation, its state in the policy's units, and the noise to begin with."""

SIMPLER_UNITS = ("m", "m", "m", "rad", "rad", "rad", "1")
"""What an adapter's actions are."""


class VlaPolicy:
    """A policy in no episode yet."""

    knows_expert: ClassVar[bool] = False

    def __init__(self, ask: Ask, settings: VlaSettings, seed: int, name: str) -> None:
        self.ask, self.settings, self.seed, self.name = ask, settings, seed, name

    @property
    def looks_every(self) -> int:
        """It looks once a chunk, if it has a camera."""
        return 0 if self.settings.camera is None else self.settings.act_steps

    def for_episode(self, episode: Episode, start: Started) -> VlaEpisode:
        """The policy of an episode. Raises ModelError when it cannot act there."""
        del episode
        return VlaEpisode(self, _checked(start, self.settings))

    async def act(self, observation: Observation) -> Actions:
        """Refuse: it acts in an episode."""
        del observation
        raise ModelError("a Vlaser policy acts in an episode, by vectors")


class VlaEpisode:
    """The policy in one episode."""

    knows_expert: ClassVar[bool] = False

    def __init__(self, policy: VlaPolicy, space: Space) -> None:
        self._policy, self._space = policy, space
        self._adapter = adapter(policy.settings.adapter)
        self._n_asked = 0

    @property
    def looks_every(self) -> int:
        """As the policy's."""
        return self._policy.looks_every

    def for_episode(self, episode: Episode, start: Started) -> VlaEpisode:
        """The policy of another episode."""
        return self._policy.for_episode(episode, start)

    async def act(self, observation: Observation) -> Actions:
        """The next `act_steps` actions of a freshly sampled chunk. Raises ModelError."""
        settings = self._policy.settings
        state_s = self._adapter.state(state_of(observation, settings.state_source))
        if state_s.shape != (settings.state_space.dimension,):
            raise ModelError(
                f"the environment's {settings.state_source} is {state_s.shape}; the policy knows "
                f"{', '.join(settings.state_space.names)}"
            )
        chunk_hd = await self._policy.ask(observation, state_s, self._noise())
        self._n_asked += 1
        done = [self._adapter.action(row) for row in chunk_hd[: settings.act_steps]]
        return Actions(np.stack(done), self._space.units, self._space.frame)

    def _noise(self) -> NDArray[np.float32]:
        """Of this episode and call alone, whatever else is in a batch; a second try has it too."""
        policy, settings = self._policy, self._policy.settings
        rng = np.random.default_rng([policy.seed, self._n_asked, *policy.name.encode()])
        shape = settings.chunk, settings.action_space.dimension
        return rng.standard_normal(shape).astype(np.float32)


def _checked(start: Started, settings: VlaSettings) -> Space:
    """The environment's action space, if the policy's actions are such. Raises ModelError."""
    space = start.action_space
    if space is None:
        raise ModelError("a Vlaser policy acts by vectors, the environment takes skills")
    if settings.adapter != "none":
        if space.units != SIMPLER_UNITS:
            raise ModelError(
                f"adapter {settings.adapter!r} acts in {', '.join(SIMPLER_UNITS)}; the "
                f"environment takes {', '.join(space.units)}"
            )
        return space
    _same("action", settings.action_space, space)
    if settings.state_source == STATE and start.state_space is not None:
        _same("state", settings.state_space, start.state_space)
    return space


def _same(what: str, mine: Space, theirs: Space) -> None:
    for field in ("names", "units", "frame"):
        one, other = getattr(mine, field), getattr(theirs, field)
        if one != other:
            told = [", ".join(v) if isinstance(v, tuple) else v for v in (one, other)]
            raise ModelError(
                f"the policy's {what} has {field} {told[0]!r}, the environment's {told[1]!r}"
            )
