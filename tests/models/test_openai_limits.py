"""What a server cannot make the client do: fill the memory, go elsewhere, write keys down."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from er_bench.core.errors import ConfigError, ModelError, UsageError
from er_bench.core.secrets import cut_fields, cut_from_text, secrets_in
from tests.chat import ChatServer, completion
from tests.conftest import Command
from tests.models.test_openai import ask, client, prompt

LARGEST = 2**20


def refused(server: ChatServer, **args: Any) -> ModelError:
    with pytest.raises(ModelError) as error:
        ask(client(server, **args), prompt("x"))
    return error.value


def test_a_reply_over_the_limit_is_refused_and_one_at_it_is_read(chat_server: ChatServer) -> None:
    async def long(body: dict[str, Any], call: int) -> web.StreamResponse:
        return completion("B" * 3000)

    chat_server.behave = long
    assert "larger than max_reply_bytes=3000" in str(refused(chat_server, max_reply_bytes=3000))
    size = len(completion("B" * 3000).body)  # type: ignore[arg-type]
    (said,) = ask(client(chat_server, max_reply_bytes=size), prompt("x"))
    assert len(said.text) == 3000
    assert "larger" in str(refused(chat_server, max_reply_bytes=size - 1))


@pytest.mark.parametrize("status", [200, 503])
def test_an_endless_body_is_not_read_on(status: int, chat_server: ChatServer) -> None:
    sent = 0

    async def endless(body: dict[str, Any], call: int) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=status)
        await response.prepare(chat_server.request)
        for _ in range(2000):
            await response.write(b" " * 2**16)
            sent += 2**16
        return response

    chat_server.behave = endless
    error = refused(chat_server, max_reply_bytes=LARGEST)
    assert ("larger" if status == 200 else "503") in str(error)
    assert sent < 64 * 2**20


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_a_packed_body_counts_unpacked(chat_server: ChatServer, traced: None) -> None:
    bomb = gzip.compress(b" " * (200 * 2**20), 1)

    async def packed(body: dict[str, Any], call: int) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    chat_server.behave = packed
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    assert "larger" in str(refused(chat_server, max_reply_bytes=LARGEST))
    assert tracemalloc.get_traced_memory()[1] - before < 64 * 2**20


@pytest.mark.parametrize("body", [b"not packed at all", gzip.compress(b"{}" * 5000)[:-300], b""])
def test_a_damaged_packing_is_an_error(body: bytes, chat_server: ChatServer) -> None:
    async def packed(_: dict[str, Any], call: int) -> web.StreamResponse:
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    chat_server.behave = packed
    assert refused(chat_server).retryable


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, chat_server: ChatServer) -> None:
    async def moved(body: dict[str, Any], call: int) -> web.StreamResponse:
        place = f"{chat_server.url}/chat/completions?token=abcdefgh"
        return web.Response(status=status, headers={"Location": place})

    chat_server.behave = moved
    error = refused(chat_server)
    assert f"moved to {chat_server.url}/chat/completions?token=***" in str(error)
    assert not error.retryable and len(chat_server.bodies) == 1


SECRETS = {
    "key": "sk-Key-0123456789",
    "password": "pass-0123456789",
    "query": "query-0123456789",
    "field": "field-0123456789",
}


@pytest.mark.parametrize("fails", [False, True])
def test_no_secret_is_written_or_printed(
    fails: bool, er_bench: Command, toy_path: Path, tmp_path: Path, chat_server: ChatServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def echo(body: dict[str, Any], call: int) -> web.StreamResponse:
        assert body["api_key"] == SECRETS["field"]
        told = f"D {' '.join(SECRETS.values())} {chat_server.headers[-1]}"
        return web.Response(status=400, text=told) if fails else completion(told, told)

    chat_server.behave = echo
    monkeypatch.setenv("OPENAI_API_KEY", SECRETS["key"])
    base = chat_server.url.replace("://", f"://me:{SECRETS['password']}@")
    args = f"base_url={base}?api-key={SECRETS['query']},extra_body=" + json.dumps(
        {"api_key": SECRETS["field"]}, separators=(",", ":")
    )
    done = er_bench("run", "--model", "openai/x", "--model-args", args, "--tasks", "toy",
                    "--include-path", toy_path, "--out", "r")  # fmt: skip
    assert done.returncode == (3 if fails else 0), done.stderr
    assert chat_server.headers[0]["Authorization"] == f"Bearer {SECRETS['key']}"
    written = [path.read_text() for path in (tmp_path / "r").rglob("*") if path.is_file()]
    for text in (done.stdout, done.stderr, *written):
        for secret in SECRETS.values():
            assert secret not in text
    assert any(chat_server.url in text for text in written)


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize("before", [150, 192, 195, 450, 492, 495])
def test_no_part_of_a_key_is_shown_where_a_message_is_cut(
    before: int, status: int, chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRETS["key"])

    async def echo(body: dict[str, Any], call: int) -> web.StreamResponse:
        return web.Response(status=status, text="x" * before + SECRETS["key"])

    chat_server.behave = echo
    assert SECRETS["key"][:3] not in str(refused(chat_server))


def test_a_name_and_password_in_the_address_go_out_as_basic_authorization(
    chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = client(chat_server, base_url=chat_server.url.replace("://", "://me:pa%73s@") + "/?v=1")
    ask(model, prompt("x"))
    assert chat_server.headers[0]["Authorization"] == "Basic bWU6cGFzcw=="
    assert "pa%73s" not in str(model.identity())
    assert model.identity()["endpoint"] == f"{chat_server.url}/chat/completions?v=1"


@pytest.mark.parametrize("given", ["sk-0123456789", "abcdef0123456789"])
def test_a_key_in_place_of_its_variables_name_is_refused_unread(
    given: str, chat_server: ChatServer
) -> None:
    with pytest.raises((UsageError, ConfigError), match="api_key_env") as error:
        client(chat_server, api_key_env=given)
    assert given not in str(error.value)


def test_settings_of_decoding_are_no_secrets() -> None:
    plain = {"max_tokens": 5, "stop_token_ids": [1], "eos_token": "</s>", "min_tokens": "x"}
    assert cut_fields(plain) == plain and not secrets_in(plain)
    secret = {
        "headers": {"Authorization": "Bearer abcdefgh", "X-Api-Key": "k1"},
        "accessToken": "t",
    }
    assert "abcdefgh" not in str(cut_fields(secret))
    assert secrets_in(secret) == {"Bearer abcdefgh", "abcdefgh", "k1", "t"}
    text = 'at http://me:pw@host/v1?x=1&api-key=V,foo=2 {"token": "W", "max_tokens": "3"}'
    expected = 'at http://***@host/v1?x=1&api-key=***,foo=2 {"token": "***", "max_tokens": "3"}'
    assert cut_from_text(text) == expected


@pytest.mark.parametrize(("headers", "busy"), [({}, False), ({"Retry-After": "2"}, True)])
def test_an_overloaded_server_that_names_a_time_makes_all_requests_wait(
    headers: dict[str, str], busy: bool, chat_server: ChatServer
) -> None:
    async def overloaded(body: dict[str, Any], call: int) -> web.StreamResponse:
        return web.Response(status=503, headers=headers)

    chat_server.behave = overloaded
    error = refused(chat_server)
    assert (error.retryable, error.busy) == (True, busy)
