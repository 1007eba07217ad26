"""Serve a policy to simulators of vla-eval (vla-eval 0.8.0, `model_servers/serve.py`).

`GET /health` answers 200, as vla-eval's own servers do. The protocol has no key: whoever reaches
the port is served, so it is on 127.0.0.1 unless told otherwise, and pages of browsers are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as websocket_server
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from er_bench.core.errors import UsageError
from er_bench.vla.session import Offer, Session

MAX_MESSAGE_BYTES = 32 * 2**20
"""Largest observation that is read: eight pictures of 1024 pixels a side."""
MAX_CLIENTS = 256


async def serve(
    offer: Offer,
    host: str = "127.0.0.1",
    port: int = 8000,
    ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve until cancelled; `ready` is told the port. Raises UsageError for one that is taken."""
    n_clients = 0

    async def meet(end: ServerConnection) -> None:
        nonlocal n_clients
        if n_clients >= MAX_CLIENTS:
            return await end.close(1013, f"{MAX_CLIENTS} clients are served")
        n_clients += 1
        session = Session(offer)
        try:
            async for content in end:
                if (answer := await session.answer(content)) is not None:
                    await end.send(answer)
        except ConnectionClosed:
            pass
        finally:
            n_clients -= 1
            await session.close()

    try:
        listening = await websocket_server(
            meet,
            host,
            port,
            process_request=_healthy,
            origins=[None],
            compression=None,
            ping_interval=None,
            max_size=MAX_MESSAGE_BYTES,
        )
    except OSError as error:
        raise UsageError(
            f"{host}:{port} cannot be served on ({error.strerror}); give another --host or --port"
        ) from error
    async with listening:
        ready(next(iter(listening.sockets)).getsockname()[1])
        await asyncio.Event().wait()


def _healthy(end: ServerConnection, request: Request) -> Response | None:
    return end.respond(HTTPStatus.OK, "ok\n") if request.path == "/health" else None
