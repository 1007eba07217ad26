"""One client of a served policy: what it says, and what it is answered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from er_bench.core.completion import one_line
from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ErBenchError, ModelError
from er_bench.core.policy import Ends, Observation, Policy
from er_bench.core.version import er_bench_version
from er_bench.vla.messages import PROTOCOL, Kind, Message, read_message
from er_bench.vla.observation import started, unseen
from er_bench.vla.robot import Robot
from er_bench.vla.specs import IMAGE, LANGUAGE, DimSpec

NAMES_SHOWN = ("suite", "name", "episode_idx")
"""Fields of a task that tell an episode from others, as vla-eval's harness gives them."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is served: a policy, by a name of its own for each episode."""

    name: str
    policy: Callable[[str], Policy]
    robot: Robot
    say: Callable[[str], None] = lambda line: None
    """Takes a line for whoever serves."""
    told: set[str] = field(default_factory=set)
    """What has been said once."""

    def say_once(self, line: str) -> None:
        """Say what holds for every message that follows."""
        if line not in self.told and len(self.told) < 1000:
            self.told.add(line)
            self.say(line)

    def hello(self) -> dict[str, Any]:
        """The payload of HELLO."""
        robot = self.robot
        shown = {"language": DimSpec(name="language", dims=0, format=LANGUAGE)}
        if self.policy("").looks_every:
            shown |= {n: DimSpec(name="image", dims=0, format=IMAGE) for n in robot.cameras}
        if state := robot.state_space:
            shown["state"] = DimSpec(name="state", dims=state.dimension, format=robot.state_format)
        params = {"send_state": True} if robot.state else {}
        return {
            "harness_version": f"er-bench {er_bench_version()}",
            "protocol_version": PROTOCOL,
            "model_server": self.name,
            "capabilities": {},
            "action_spec": {n: part.spec(n).told() for n, part in robot.actions.items()},
            "observation_spec": {name: spec.told() for name, spec in shown.items()},
            "observation_params": params | robot.observation_params,
        }


@dataclass(slots=True)
class _Playing:
    """An episode: its policy, once it has begun, and what is left of the last chunk."""

    name: str
    policy: Policy | None = None
    left: deque[NDArray[np.float64]] = field(default_factory=deque)


@dataclass(slots=True)
class Session:
    """A connection. One message at a time."""

    offer: Offer
    _playing: _Playing | None = None
    _n_episodes: int = 0

    async def answer(self, content: bytes | str) -> bytes | None:
        """The answer to a message; an ERROR for what cannot be meant, or done."""
        seq = 0
        try:
            message = await asyncio.to_thread(read_message, content)
            seq = message.seq
            said = await self._said(message.type, await asyncio.to_thread(message.with_arrays))
        except (ValueError, ErBenchError) as error:
            told = one_line(str(error), 1000)
            self.offer.say(f"refused: {told}")
            said = Kind.ERROR, {"error": f"{type(error).__name__}: {told}"}
        if said is None:
            return None
        return Message(type=said[0], payload=said[1], seq=seq).packed()

    async def close(self) -> None:
        """Let go of the episode that was not ended."""
        await self._end(None)

    async def _said(
        self, kind: Kind, payload: dict[str, Any]
    ) -> tuple[Kind, dict[str, Any]] | None:
        match kind:
            case Kind.HELLO:
                if payload.get("protocol_version") != PROTOCOL:
                    raise ValueError(f"er-bench speaks version {PROTOCOL} of the protocol")
                return Kind.HELLO, self.offer.hello()
            case Kind.EPISODE_START:
                await self._end(None)
                self._n_episodes += 1
                self._playing = _Playing(_episode_name(payload, self._n_episodes))
            case Kind.EPISODE_END:
                await self._end(_success(payload))
            case Kind.OBSERVATION:
                if self._playing is None:
                    raise ModelError("an OBSERVATION outside an episode: say EPISODE_START first")
                return Kind.ACTION, {"actions": await self._acted(self._playing, payload)}
            case Kind.ERROR:
                self.offer.say(f"the client failed: {one_line(str(payload.get('error', payload)))}")
            case Kind.ACTION:
                raise ValueError("an ACTION from a client")
        return None

    async def _acted(self, playing: _Playing, payload: Mapping[str, Any]) -> NDArray[np.float64]:
        """The next action `(D,)`; a chunk is handed out one by one, as vla-eval's servers do.

        A policy is asked by the first observation of an episode, and after each chunk.
        """
        if not playing.left:
            seen = started(payload, self.offer.robot)
            for name in unseen(payload):
                self.offer.say_once(f"no policy is shown {name}")
            playing.policy = playing.policy or self._begun(playing.name, seen)
            observation = Observation.of(seen, seen)
            shown = observation if playing.policy.knows_expert else observation.without_expert()
            actions = await playing.policy.act(shown)
            actions.check(self.offer.robot.action_space)
            playing.left.extend(actions.actions_td)
        return playing.left.popleft()

    def _begun(self, name: str, seen: Started) -> Policy:
        return self.offer.policy(name).for_episode(Episode(id=name, scene=""), seen)

    async def _end(self, success: bool | None) -> None:
        playing, self._playing = self._playing, None
        if playing is not None and isinstance(playing.policy, Ends):
            await playing.policy.end(success)


def _episode_name(payload: Mapping[str, Any], number: int) -> str:
    """A name that is the same whenever the harness plays this episode."""
    task = payload.get("task")
    told = [task[key] for key in NAMES_SHOWN if key in task] if isinstance(task, dict) else []
    plain = [str(value) for value in told if isinstance(value, (str, int))]
    return one_line("/".join(plain), 500) if plain else f"episode {number}"


def _success(payload: Mapping[str, Any]) -> bool | None:
    metrics = payload.get("metrics")
    success = metrics.get("success") if isinstance(metrics, dict) else None
    return success if isinstance(success, bool) else None
