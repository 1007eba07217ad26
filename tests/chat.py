"""A chat-completions server on a port of this machine, told how to behave."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

Behaviour = Callable[[dict[str, Any], int], Awaitable[web.StreamResponse]]


def completion(text: str, finish_reason: str = "stop") -> web.Response:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return web.json_response(
        {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    )


async def obey(body: dict[str, Any], call: int) -> web.StreamResponse:
    """Answer "say X" with X."""
    text = "".join(p.get("text", "") for p in body["messages"][-1]["content"])
    found = re.search(r"say (\w)", text)
    return completion(found[1] if found else "?")


@dataclass
class ChatServer:
    """The server: `behave` decides each answer, `bodies` and `headers` hold what arrived."""

    behave: Behaviour = obey
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    models: tuple[str, ...] | None = ()
    """What it lists; None: it has no list."""
    request: web.Request = field(init=False)
    """The last one, for answers that are sent in parts."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.request, body = request, await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        return await self.behave(body, len(self.bodies))

    async def listed(self, request: web.Request) -> web.Response:
        if self.models is None:
            raise web.HTTPNotFound
        return web.json_response({"data": [{"id": name} for name in self.models]})


@contextmanager
def serving() -> Iterator[ChatServer]:
    """A server in a thread of its own, as long as the block runs."""
    server, loop, ready = ChatServer(), asyncio.new_event_loop(), threading.Event()

    async def start() -> web.AppRunner:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", server.answer)
        app.router.add_get("/v1/models", server.listed)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        server.url = f"http://127.0.0.1:{port}/v1"
        return runner

    def serve() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    yield server
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    with serving() as server:
        yield server
