"""A policy behind a server: one connection an episode, and what may be tried again.

A server may remember: the chunk that it has not handed out, the pictures before. So nothing is
asked twice of an episode that has acted: what fails then ends the episode, as the model's error,
and `--resume` runs it from its start. Before the first action a failed try costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from er_bench.core.completion import one_line
from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ModelError
from er_bench.core.policy import Actions, Observation
from er_bench.models.policy_servers.address import PolicyAddress
from er_bench.models.policy_servers.link import Link
from er_bench.vla.actions import read_actions

MESSAGE_CHARS = 1000


class Talk(Protocol):
    """What is said on one connection, by one protocol. Each raises ModelError."""

    async def greet(self, link: Link) -> None:
        """Find out that the server speaks this protocol. Raises NoPolicyServerError."""

    async def begin(self, link: Link, episode: Episode, start: Started) -> None:
        """Begin an episode, if the server's actions can be carried out in it."""

    async def ask(self, link: Link, observation: Observation) -> object:
        """The server's answer to an observation: an action or a chunk, not yet checked."""

    async def end(self, link: Link, success: bool | None) -> None:
        """Say that the episode is over."""


class ServedPolicy:
    """The policy of a server, in no episode yet."""

    looks_every: ClassVar[int] = 1
    knows_expert: ClassVar[bool] = False

    def __init__(
        self,
        to: PolicyAddress,
        talk: Callable[[], Talk],
        most_bytes: int,
        replan_steps: int | None = None,
    ) -> None:
        self.to, self.talk, self.most_bytes, self.replan_steps = to, talk, most_bytes, replan_steps

    def for_episode(self, episode: Episode, start: Started) -> ServedEpisode:
        """The policy of an episode; its connection is opened when it first acts."""
        return ServedEpisode(self, episode, start)

    async def act(self, observation: Observation) -> Actions:
        """Refuse: a server acts in an episode."""
        del observation
        raise ModelError("a policy server acts in an episode")

    async def check(self) -> None:
        """Greet the server and leave. Raises ModelError."""
        link = await Link.open(self.to, self.most_bytes)
        try:
            await self.talk().greet(link)
        finally:
            await link.close()


class ServedEpisode:
    """The policy in one episode: a connection of its own."""

    looks_every: ClassVar[int] = 1
    knows_expert: ClassVar[bool] = False

    def __init__(self, server: ServedPolicy, episode: Episode, start: Started) -> None:
        self._server, self._episode, self._start = server, episode, start
        self._open: tuple[Link, Talk] | None = None
        self._n_answers = 0
        self._lost = ""

    def for_episode(self, episode: Episode, start: Started) -> ServedEpisode:
        """The policy of another episode."""
        return self._server.for_episode(episode, start)

    async def act(self, observation: Observation) -> Actions:
        """What the server wants done. Raises ModelError."""
        if self._lost:
            raise self._failed(ModelError(f"the server lost the episode: {self._lost}"))
        try:
            actions = await self._asked(observation)
        except ModelError as error:
            self._drop(str(error))
            raise self._failed(error) from error
        except BaseException:
            self._drop("no answer in time")
            raise
        self._n_answers += 1
        return actions

    async def end(self, success: bool | None) -> None:
        """Take leave of the server; the episode has been played, so nothing that fails counts."""
        if self._open is None:
            return
        (link, talk), self._open = self._open, None
        try:
            await talk.end(link, success)
        except ModelError:
            link.abort()
        await link.close()

    async def _asked(self, observation: Observation) -> Actions:
        space = self._start.action_space
        if space is None:
            raise ModelError("a policy server acts by vectors, the environment takes skills")
        link, talk = self._open or await self._opened()
        value = await talk.ask(link, observation)
        return read_actions(value, space, self._server.replan_steps)

    async def _opened(self) -> tuple[Link, Talk]:
        link, talk = await Link.open(self._server.to, self._server.most_bytes), self._server.talk()
        self._open = link, talk
        await talk.greet(link)
        await talk.begin(link, self._episode, self._start)
        return link, talk

    def _drop(self, why: str) -> None:
        """Leave the connection: what comes on it now answers another question."""
        if self._open is not None:
            self._open[0].abort()
            self._open = None
        if self._n_answers:
            self._lost = why

    def _failed(self, error: ModelError) -> ModelError:
        """The error with its place, in one line and without secrets."""
        to, again = self._server.to, error.retryable and not self._n_answers
        told = one_line(f"{to.shown}: {to.without_secrets(str(error))}", MESSAGE_CHARS)
        if error.retryable and not again:
            told += f"; lost after {self._n_answers} answers, --resume runs the episode again"
        return ModelError(
            told,
            retryable=again,
            retry_after_s=error.retry_after_s if again else None,
            busy=error.busy and again,
        )
