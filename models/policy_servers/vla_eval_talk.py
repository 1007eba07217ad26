"""vla-eval's protocol, version 1, from the client's side (vla-eval 0.8.0, `connection.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from er_bench.core.completion import one_line
from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ModelError
from er_bench.core.policy import Observation
from er_bench.core.version import er_bench_version
from er_bench.models.policy_servers.link import GREETING_S, Link, NoPolicyServerError
from er_bench.models.policy_servers.pictures import pictures
from er_bench.vla.messages import PROTOCOL, Kind, Message, ServerHello, checked, read_message
from er_bench.vla.specs import Shown, action_misfit, observation_misfit

ACTIONS = ("actions", "action")
"""Under which of these a server's answer stands, the first that is there (LIBERO's adapter)."""


@dataclass(frozen=True, slots=True)
class VlaEvalWays:
    """How observations are told, by the user's settings."""

    cameras: Mapping[str, str] | None = None
    """The server's name of a camera, and the environment's; None: all, by their own names."""
    arrays: Sequence[str] = ()
    """Which other arrays are sent."""
    suite: str = ""
    """What EPISODE_START calls the suite: some servers choose their chunk size by it."""
    check_specs: bool = True


@dataclass(slots=True)
class VlaEvalTalk:
    """What is said on one connection."""

    ways: VlaEvalWays
    hello: ServerHello | None = None
    _seq: int = 0
    _start: Started | None = field(default=None, repr=False)

    async def greet(self, link: Link) -> None:
        """Exchange HELLO. Raises NoPolicyServerError for another protocol, or version of it."""
        told = {"harness_version": f"er-bench {er_bench_version()}", "protocol_version": PROTOCOL}
        await self._say(link, Kind.HELLO, told)
        try:
            async with asyncio.timeout(GREETING_S):
                answer = read_message(await link.receive())
            if answer.type is not Kind.HELLO:
                raise ValueError(f"it says {answer.type}")
            self.hello = checked(ServerHello, answer.payload)
        except ValueError as error:
            raise NoPolicyServerError(
                f"HELLO is not answered as vla-eval's protocol says ({error}); a server of "
                "openpi's is asked by --model openpi/NAME"
            ) from error
        except TimeoutError as error:
            raise NoPolicyServerError(
                f"no HELLO within {GREETING_S:g} s: is it a server of vla-eval's?", retryable=True
            ) from error
        if self.hello.protocol_version != PROTOCOL:
            raise NoPolicyServerError(
                f"the server speaks version {self.hello.protocol_version} of vla-eval's protocol, "
                f"er-bench {PROTOCOL}: serve it with vla-eval 0.8"
            )

    async def begin(self, link: Link, episode: Episode, start: Started) -> None:
        """Hold the server's specs against the environment, and say EPISODE_START."""
        self._start = start
        task = {"name": start.instruction, "suite": self.ways.suite, "episode": episode.id}
        await self._say(link, Kind.EPISODE_START, {"task": task})

    async def ask(self, link: Link, observation: Observation) -> object:
        """Say OBSERVATION; the value in the ACTION that answers it."""
        seen = await asyncio.to_thread(observed, observation, self.ways)
        if self._start is not None:
            self._check(self._start, observation, len(seen["images"]))
            self._start = None
        await self._say(link, Kind.OBSERVATION, seen)
        answer = _read(await link.receive())
        if answer.type is Kind.ERROR:
            told = answer.payload.get("error", answer.payload)
            raise ModelError(f"the server failed: {one_line(str(told), 500)}")
        if answer.type is not Kind.ACTION or answer.seq != self._seq:
            raise ModelError(
                f"the server says {answer.type} {answer.seq} to observation {self._seq}: it does "
                "not answer each observation once, as servers in continuous mode do not"
            )
        payload = await asyncio.to_thread(_opened, answer)
        for name in ACTIONS:
            if name in payload:
                return payload[name]
        there = one_line(", ".join(payload) or "nothing")
        raise ModelError(f"the server's ACTION holds no actions, but {there}")

    async def end(self, link: Link, success: bool | None) -> None:
        """Say EPISODE_END, with the success where the episode was played to its end."""
        metrics = {} if success is None else {"metrics": {"success": success}}
        await self._say(link, Kind.EPISODE_END, metrics)

    def _check(self, start: Started, seen: Observation, n_cameras: int) -> None:
        if self.hello is None or start.action_space is None or not self.ways.check_specs:
            return
        state_dims = None if seen.state_d is None else len(seen.state_d)
        shown = Shown(n_cameras, state_dims, self.ways.arrays)
        problem = (
            action_misfit(self.hello.action_spec, start.action_space)
            or observation_misfit(self.hello.observation_spec, shown)
            or _unmet(self.hello.observation_params, shown)
        )
        if problem:
            raise ModelError(
                f"{problem}; serve a policy of this robot, or, where the server's specs are wrong, "
                "--model-args check_specs=false"
            )

    async def _say(self, link: Link, kind: Kind, payload: dict[str, Any]) -> None:
        self._seq += 1
        message = Message(type=kind, payload=payload, seq=self._seq)
        await link.send(await asyncio.to_thread(message.packed))


def observed(seen: Observation, ways: VlaEvalWays) -> dict[str, Any]:
    """An observation as vla-eval's simulators tell it. Raises ModelError for what is not there.

    The state goes under both names that servers look for.
    """
    arrays = {name: seen.arrays.get(name) for name in ways.arrays}
    if absent := [name for name, array in arrays.items() if array is None]:
        raise ModelError(
            f"the environment shows no array {absent[0]}; it shows: {', '.join(seen.arrays)}"
        )
    state = {} if seen.state_d is None else {"state": seen.state_d, "states": seen.state_d}
    return {
        "images": pictures(seen, ways.cameras),
        "task_description": seen.instruction,
        **state,
        **arrays,
    }


def _unmet(params: Mapping[str, object], shown: Shown) -> str:
    """What a server wants its simulator to switch on, and the environment lacks.

    What else it says there are settings of vla-eval's own simulators.
    """
    if params.get("send_state") and shown.state_dims is None:
        return "the server wants the robot's state, the environment tells none"
    if params.get("send_wrist_image") and shown.n_cameras < 2:
        return "the server wants a second picture, of the wrist; one is sent"
    return ""


def _opened(answer: Message) -> dict[str, Any]:
    try:
        return answer.with_arrays()
    except ValueError as error:
        raise ModelError(f"the server's answer, {error}") from error


def _read(content: bytes | str) -> Message:
    try:
        return read_message(content)
    except ValueError as error:
        raise ModelError(f"the server's answer is no message: {one_line(str(error))}") from error
