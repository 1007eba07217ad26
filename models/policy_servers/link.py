"""One websocket to a policy server; whatever fails on it is a ModelError that says what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from er_bench.core.completion import one_line
from er_bench.core.errors import ModelError
from er_bench.models.chat_reply import BUSY, RETRYABLE
from er_bench.models.policy_servers.address import PolicyAddress
from er_bench.models.retry_after import http_date, retry_after_s

OPEN_S, GREETING_S, CLOSE_S = 10.0, 30.0, 2.0
"""How long a handshake, a server's first words and a leave-taking may take."""
TOO_BIG = 1009
"""The close code for a message over the limit (RFC 6455, 7.4.1)."""


class NoPolicyServerError(ModelError):
    """Happens when what is at an address is no policy server of the kind that was expected."""


class _Connect(connect):
    """The library's, which follows no redirect: the address is the user's word."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Link:
    """An open websocket; messages are bounded, and nothing goes through a proxy."""

    def __init__(self, socket: ClientConnection, most_bytes: int) -> None:
        self._socket, self._most = socket, most_bytes

    @classmethod
    async def open(cls, to: PolicyAddress, most_bytes: int) -> Link:
        """Connect. Raises ModelError, and NoPolicyServerError where waiting does not help.

        No pings: a server that infers in its event loop, as openpi's does, answers none meanwhile.
        """
        try:
            opened = await _Connect(
                to.url,
                additional_headers=to.headers,
                compression=None,
                proxy=None,
                open_timeout=OPEN_S,
                close_timeout=CLOSE_S,
                ping_interval=None,
                max_size=most_bytes,
            )
        except InvalidStatus as error:
            raise _refused(error) from error
        except TimeoutError as error:
            raise ModelError(f"no connection within {OPEN_S:g} s", retryable=True) from error
        except (OSError, EOFError, InvalidHandshake) as error:
            raise NoPolicyServerError(_unreachable(error), retryable=True) from error
        return cls(opened, most_bytes)

    async def send(self, content: bytes) -> None:
        """Send a message. Raises ModelError."""
        try:
            await self._socket.send(content)
        except (ConnectionClosed, OSError) as error:
            raise self._closed(error) from error

    async def receive(self) -> bytes | str:
        """The next message. Raises ModelError."""
        try:
            return await self._socket.recv()
        except (ConnectionClosed, OSError) as error:
            raise self._closed(error) from error

    def abort(self) -> None:
        """Leave at once, in the middle of whatever there is."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """Take leave, for a short while at most."""
        try:
            async with asyncio.timeout(2 * CLOSE_S):
                await self._socket.close()
        except (TimeoutError, OSError):
            self.abort()

    def _closed(self, error: Exception) -> ModelError:
        if not isinstance(error, ConnectionClosed):
            return ModelError(f"{type(error).__name__}: {error}", retryable=True)
        if error.sent is not None and error.sent.code == TOO_BIG:
            return ModelError(f"the reply is larger than max_reply_bytes={self._most}")
        if error.rcvd is None:
            return ModelError("the connection broke", retryable=True)
        why = f" {error.rcvd.reason}" if error.rcvd.reason else ""
        return ModelError(
            f"the server closed the connection ({error.rcvd.code}{one_line(why)})", retryable=True
        )


def _refused(error: InvalidStatus) -> ModelError:
    response = error.response
    status, headers = response.status_code, response.headers
    if status in (401, 403):
        return NoPolicyServerError(f"the server refuses the key (HTTP {status}); see api_key_env")
    if 300 <= status < 400:
        moved = one_line(headers.get("Location") or "another address")
        return NoPolicyServerError(
            f"it has moved to {moved}; redirects are not followed, give the new url"
        )
    if status in RETRYABLE:
        return ModelError(
            f"the server answered {status}",
            retryable=True,
            retry_after_s=retry_after_s(headers.get("Retry-After"), http_date(headers.get("Date"))),
            busy=status in BUSY or (status == 503 and "Retry-After" in headers),
        )
    return NoPolicyServerError(
        f"the server answered {status} and opens no websocket; look at port and path of url"
    )


def _unreachable(error: Exception) -> str:
    match error:
        case socket.gaierror():
            return "there is no host of that name; look at the spelling of url"
        case ssl.SSLError():
            return "it does not speak TLS as it should; if it is a server of yours, try ws://"
        case ConnectionRefusedError():
            return "nothing listens there; start the server, or look at host and port of url"
        case OSError():
            return one_line(f"{type(error).__name__}: {error}")
    return "what listens there speaks no websocket; look at the port, or try wss://"
