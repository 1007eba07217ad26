"""A policy on a Ray cluster: an episode is played by one replica, which remembers it."""

from __future__ import annotations

import contextlib
import uuid
from typing import Any, ClassVar

from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ErBenchError
from er_bench.core.least_outstanding import Peer
from er_bench.core.policy import Actions, Observation
from er_bench.run.executors.ray_cluster import LostError
from er_bench.run.executors.ray_replicas import RayReplicas, lost
from er_bench.run.executors.replica import Trial


class RayPolicy:
    """The policy of a model whose replicas act."""

    looks_every: ClassVar[int] = 1
    knows_expert: ClassVar[bool] = False

    def __init__(self, replicas: RayReplicas, whose: Trial) -> None:
        self._replicas, self._whose = replicas, whose

    def for_episode(self, episode: Episode, start: Started) -> RayEpisode:
        """The policy of one episode."""
        return RayEpisode(self._replicas, self._whose, episode, start)

    async def act(self, observation: Observation) -> Actions:
        """Refuse: there is no episode."""
        raise NotImplementedError


class RayEpisode(RayPolicy):
    """The policy in one episode.

    It takes a replica when it first acts and keeps it. Before the first action a lost replica costs
    a try; afterwards what it remembered is gone, and the sample begins again.
    """

    def __init__(
        self, replicas: RayReplicas, whose: Trial, episode: Episode, start: Started
    ) -> None:
        super().__init__(replicas, whose)
        self._episode, self._start = episode, start
        self._play = uuid.uuid4().hex
        self._held = contextlib.ExitStack()
        self._peer: Peer[Any] | None = None
        self._has_acted = False

    async def act(self, observation: Observation) -> Actions:
        """Act. Raises ModelError; see the class for a lost replica."""
        try:
            peer = self._peer or await self._begun()
            actions: Actions = await self._replicas.asked(peer, "act", self._play, observation)
        except LostError as error:
            self._let_go()
            raise lost(error, begin_again=self._has_acted) from error
        self._has_acted = True
        return actions

    async def _begun(self) -> Peer[Any]:
        await self._replicas.one_is_there()
        peer = self._peer = self._held.enter_context(self._replicas.peers.taken())
        try:
            begin = (self._play, self._whose, self._episode, self._start)
            await self._replicas.asked(peer, "begin", *begin)
        except ErBenchError:
            self._let_go()
            raise
        return peer

    def _let_go(self) -> None:
        self._held.close()
        self._peer = None

    async def end(self, success: bool | None) -> None:
        """Tell the replica, if there still is one."""
        if self._peer is not None:
            with contextlib.suppress(LostError, ErBenchError):
                await self._replicas.asked(self._peer, "end", self._play, success)
            self._let_go()
