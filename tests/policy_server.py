"""Policy servers on a port of this machine, told how to behave; they spell the wire by themselves.

What stands here about the wire is written from the packages vla-eval 0.8.0 and openpi-client 0.1.2,
and shares no code with er-bench's own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Say = Callable[[Any], Awaitable[None]]


def array(value: Any, dtype: str = "<f4", *, in_bytes: bool = False) -> dict[Any, Any]:
    """An array as it crosses the wire."""
    found = np.asarray(value, dtype)
    fields = {"__ndarray__": True, "data": found.tobytes(), "dtype": dtype,
              "shape": list(found.shape)}  # fmt: skip
    return {key.encode() if in_bytes else key: field for key, field in fields.items()}


def plain(value: Any) -> Any:
    """What came over the wire, arrays as numpy's, whichever way they are spelt."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {k.decode() if isinstance(k, bytes) else k: v for k, v in value.items()}
    if "__ndarray__" in named:
        return np.frombuffer(named["data"], named["dtype"]).reshape(named["shape"])
    return {key: plain(item) for key, item in named.items()}


def ratio(name: str, dims: int, form: str = "raw", **more: Any) -> dict[str, Any]:
    return {"name": name, "dims": dims, "format": form, **more}


@dataclass
class Served:
    """A server: `answer` decides each reply, `heard` holds what arrived."""

    answer: Callable[[Served, ServerConnection, Any], Awaitable[None]]
    greeting: bytes | str | None = None
    heard: list[Any] = field(default_factory=list)
    n_connections: int = 0
    url: str = ""

    async def meet(self, end: ServerConnection) -> None:
        self.n_connections += 1
        try:
            if self.greeting is not None:
                await end.send(self.greeting)
            async for content in end:
                self.heard.append(plain(msgpack.unpackb(content)))
                await self.answer(self, end, self.heard[-1])
        except ConnectionClosed:
            pass

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.heard]


@contextmanager
def running(server: Served, **settings: Any) -> Iterator[Served]:
    """The server in a thread of its own."""
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def main() -> None:
        async with serve(server.meet, "127.0.0.1", 0, ping_interval=None, **settings) as listening:
            port = next(iter(listening.sockets)).getsockname()[1]
            server.url = f"ws://127.0.0.1:{port}"
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


HELLO: Mapping[str, Any] = {
    "harness_version": "0.8.0", "protocol_version": 1, "model_server": "Pusher",
    "capabilities": {},
}  # fmt: skip


def message(kind: str, payload: Any, seq: int, **more: Any) -> bytes:
    content: bytes = msgpack.packb(
        {"type": kind, "payload": payload, "seq": seq, "timestamp": 0.5, **more}
    )
    return content


def vla_eval(act: Callable[[dict[str, Any], int], Any], **hello: Any) -> Served:
    """A server of vla-eval's protocol: `act` makes the ACTION's payload, or a whole message."""

    async def answer(server: Served, end: ServerConnection, heard: Any) -> None:
        if heard["type"] == "hello":
            await end.send(message("hello", {**HELLO, **hello}, heard["seq"]))
        elif heard["type"] == "observation":
            said = act(heard["payload"], server.kinds().count("observation"))
            if isinstance(said, dict):
                said = message("action", said, heard["seq"])
            if said is None:
                end.transport.abort()
            else:
                await end.send(said)

    return Served(answer)


def openpi(act: Callable[[dict[str, Any], int], Any]) -> Served:
    """A server of openpi's protocol: `act` makes the answer, a map, bytes or a text."""

    async def answer(server: Served, end: ServerConnection, heard: Any) -> None:
        said = act(heard, len(server.heard))
        await end.send(msgpack.packb(said) if isinstance(said, dict) else said)

    return Served(answer, msgpack.packb({"policy": "pusher"}))
