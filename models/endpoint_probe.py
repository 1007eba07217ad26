"""A look at an endpoint before the first sample: whether it is there, and knows key and model.

Servers of the OpenAI API list their models at `GET /models`; some gateways do not. Where the list
does not settle it, a request without messages is sent to the chat address: a server that knows
address, key and model refuses it for its missing messages, and nothing is generated.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from difflib import get_close_matches

import aiohttp

from er_bench.core.errors import ConfigError
from er_bench.core.secrets import cut_from_text
from er_bench.models.address import Address

TIMEOUT_S = 10.0
MAX_LIST_BYTES = 2**20
KEY_REFUSED = {401}
NOT_THERE = {404, 405, 410}


async def probe(session: aiohttp.ClientSession, to: Address, model: str, key_variable: str) -> None:
    """Raise ConfigError, with the likely mend, for an endpoint that cannot answer.

    A server that is slow or busy is left to the run's own tries.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            served = await _served(session, to.beside("/models"), to.headers)
            if served is not None and (not served or model in served):
                return
            status = await _status(session, to, model)
            if status in KEY_REFUSED:
                raise ConfigError(
                    f"{to.shown} refuses the key (HTTP {status}): put one that it takes into the "
                    f"variable {key_variable}"
                )
            if status in NOT_THERE:
                raise ConfigError(await _mend(session, to, model, served, status))
    except (TimeoutError, aiohttp.ServerTimeoutError):
        return
    except (aiohttp.ClientError, OSError) as error:
        raise ConfigError(_unreachable(to, error)) from error


async def answers(session: aiohttp.ClientSession, to: Address) -> bool:
    """Whether a server that failed is back: it says something, and not that it cannot."""
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            session.get(to.beside("/models"), headers=to.headers, allow_redirects=False) as got,
        ):
            return got.status < 500
    except (TimeoutError, aiohttp.ClientError, OSError):
        return False


async def _served(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]
) -> list[str] | None:
    """The names that a server lists; None where it has no list."""
    async with session.get(url, headers=headers, allow_redirects=False) as response:
        if response.status != 200:
            return None
        content = await response.content.read(MAX_LIST_BYTES)
    try:
        rows = json.loads(content)["data"]
        return [str(row["id"]) for row in rows]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


async def _status(session: aiohttp.ClientSession, to: Address, model: str) -> int:
    """The status that the chat address answers a request without messages with."""
    body = json.dumps({"model": model, "messages": [], "max_tokens": 1}).encode()
    posted = session.post(to.url, data=body, headers=to.headers, allow_redirects=False)
    async with posted as response:
        return response.status


async def _mend(
    session: aiohttp.ClientSession, to: Address, model: str, served: list[str] | None, status: int
) -> str:
    if served:
        near = get_close_matches(model, served, 1, 0.3)
        hint = f"did you mean {near[0]}? " if near else ""
        return (
            f"{to.shown} does not serve {model!r}; {hint}it serves: {', '.join(served[:20])}. "
            "Name one of them: --model openai/NAME, or --model-args checkpoint=NAME with a card"
        )
    for path in ("/v1/models", "/../v1/models"):
        other = to.beside(path)
        if await _served(session, other, to.headers) is not None:
            base = cut_from_text(other.removesuffix("/models"))
            return (
                f"there are no chat completions at {to.shown} (HTTP {status}); did you mean "
                f"base_url={base}?"
            )
    return (
        f"there are no chat completions at {to.shown} (HTTP {status}): base_url is the address up "
        "to /v1, e.g. http://localhost:8000/v1"
    )


def _unreachable(to: Address, error: Exception) -> str:
    why = f"{type(error).__name__}: {error}"
    match error:
        case aiohttp.ClientConnectorDNSError():
            why = "there is no host of that name; look at the spelling of base_url"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            why = "it does not speak https as it should; if it is a server of yours, try http://"
        case aiohttp.ClientConnectorError():
            why = "nothing listens there; start the server, or look at host and port of base_url"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientResponseError():
            why = "what listens there does not speak HTTP; try https://, or look at the port"
    return f"{to.shown} cannot be asked: {cut_from_text(' '.join(why.split())[:300])}"
