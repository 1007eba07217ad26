"""An endpoint is looked at before the first sample."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import ConfigError, UsageError
from er_bench.core.model import ModelSettings
from er_bench.core.prompt import Decoding
from er_bench.models import openai
from tests.chat import ChatServer


def checked(url: str, name: str = "lamp-7b") -> None:
    """Build the client, look at the endpoint, let it go."""
    settings = ModelSettings(
        f"openai/{name}", name, None, BENCHMARK, Decoding(), Decoding(), {"base_url": url}
    )
    model = openai.build(settings)

    async def look() -> None:
        try:
            await model.check()
        finally:
            await model.close()

    asyncio.run(look())


async def strict(body: dict[str, Any], call: int) -> web.StreamResponse:
    """Know one model, and refuse a request without messages."""
    return web.Response(status=400 if body["model"] == "lamp-7b" else 404)


@pytest.mark.parametrize("models", [("lamp-7b",), (), None])
def test_a_server_that_serves_the_model_passes(
    chat_server: ChatServer, models: tuple[str, ...] | None
) -> None:
    chat_server.behave, chat_server.models = strict, models
    checked(chat_server.url)
    assert len(chat_server.bodies) == (models is None)


def test_a_name_that_is_not_listed_and_served_all_the_same_passes(chat_server: ChatServer) -> None:
    chat_server.behave, chat_server.models = strict, ("an-alias",)
    checked(chat_server.url)


def test_a_model_that_is_not_served_is_named_with_the_nearest(chat_server: ChatServer) -> None:
    chat_server.behave, chat_server.models = strict, ("lamp-7b", "other")
    with pytest.raises(ConfigError, match=r"does not serve 'lamb-7b'; did you mean lamp-7b\?"):
        checked(chat_server.url, "lamb-7b")


@pytest.mark.parametrize("path", ["", "/v2", "/v1/chat"])
def test_a_wrong_path_is_told_with_the_right_one(chat_server: ChatServer, path: str) -> None:
    right = chat_server.url
    with pytest.raises(ConfigError, match=rf"did you mean base_url={right}\?"):
        checked(right.removesuffix("/v1") + path)


def test_a_refused_key_names_its_variable(chat_server: ChatServer) -> None:
    async def refuse(body: dict[str, Any], call: int) -> web.StreamResponse:
        return web.Response(status=401)

    chat_server.behave, chat_server.models = refuse, None
    with pytest.raises(ConfigError, match="the variable OPENAI_API_KEY"):
        checked(chat_server.url)


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(UsageError, match=r"did you mean http://localhost:8000/v1\?"):
        checked("localhost:8000/v1")


def test_a_port_on_which_nothing_listens_is_told() -> None:
    with pytest.raises(ConfigError, match="nothing listens there"):
        checked("http://127.0.0.1:9/v1")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_left_to_the_run(chat_server: ChatServer, status: int) -> None:
    async def busy(body: dict[str, Any], call: int) -> web.StreamResponse:
        return web.Response(status=status)

    chat_server.behave, chat_server.models = busy, None
    checked(chat_server.url)
