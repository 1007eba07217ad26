"""openpi's protocol from the client's side (openpi-client 0.1.2, `websocket_client_policy.py`).

The server speaks first: a map of what it is. Then each observation, a map under the names of its
policy's inputs, is answered by a map with `actions`, a chunk `(T, D)`; a text is a traceback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from er_bench.core.completion import one_line
from er_bench.core.environment import Episode, Started
from er_bench.core.errors import ModelError
from er_bench.core.policy import Observation
from er_bench.models.policy_servers.link import GREETING_S, Link, NoPolicyServerError
from er_bench.models.policy_servers.pictures import picture
from er_bench.vla.values import OPENPI, packed, unpacked

Inputs: TypeAlias = Mapping[str, "str | Inputs"]
"""By the name of a policy's input: `instruction`, `state`, `image:CAMERA`, `array:NAME`."""


@dataclass(slots=True)
class OpenpiTalk:
    """What is said on one connection."""

    inputs: Inputs

    async def greet(self, link: Link) -> None:
        """Hear what the server says first. Raises NoPolicyServerError."""
        try:
            async with asyncio.timeout(GREETING_S):
                said = await link.receive()
            if isinstance(said, str) or not isinstance(unpacked(said, OPENPI), dict):
                raise ValueError("no map")
        except TimeoutError as error:
            raise NoPolicyServerError(
                f"it says nothing within {GREETING_S:g} s, as servers of openpi's do; one of "
                "vla-eval's is asked by --model vla-eval/NAME",
                retryable=True,
            ) from error
        except ValueError as error:
            raise NoPolicyServerError(
                f"its first message is not what servers of openpi's say ({one_line(str(error))})"
            ) from error

    async def begin(self, link: Link, episode: Episode, start: Started) -> None:
        """Nothing: the protocol knows no episodes."""

    async def ask(self, link: Link, observation: Observation) -> object:
        """Send an observation; the actions of the answer."""
        content = await asyncio.to_thread(lambda: packed(filled(self.inputs, observation), OPENPI))
        await link.send(content)
        answer = await link.receive()
        if isinstance(answer, str):
            last = (answer.strip().splitlines() or ["without a word"])[-1]
            raise ModelError(f"the server failed: {one_line(last, 500)}")
        try:
            said = await asyncio.to_thread(unpacked, answer, OPENPI)
        except ValueError as error:
            raise ModelError(f"the answer is unreadable: {one_line(str(error))}") from error
        if not isinstance(said, dict) or "actions" not in said:
            there = ", ".join(map(str, said)) if isinstance(said, dict) else type(said).__name__
            raise ModelError(f"the server's answer has no actions, but {one_line(there)}")
        return said["actions"]

    async def end(self, link: Link, success: bool | None) -> None:
        """Nothing."""


def filled(inputs: Inputs, seen: Observation) -> dict[str, Any]:
    """A policy's inputs, taken from an observation. Raises ModelError for what is not there."""
    return {
        name: _input(what, seen) if isinstance(what, str) else filled(what, seen)
        for name, what in inputs.items()
    }


def _input(what: str, seen: Observation) -> object:
    kind, _, name = what.partition(":")
    if kind == "instruction":
        return seen.instruction
    if kind == "image":
        return picture(seen, name)
    if kind == "state":
        if seen.state_d is None:
            raise ModelError("the environment tells no state of the robot; leave it out of inputs")
        return seen.state_d
    if name not in seen.arrays:
        there = ", ".join(seen.arrays) or "none"
        raise ModelError(f"the environment shows no array {name}; it shows: {there}")
    return seen.arrays[name]
