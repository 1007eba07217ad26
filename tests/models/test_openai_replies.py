"""What the client makes of a server's replies: answers, failures, and what stood in their place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from er_bench.core.errors import ModelError
from er_bench.models.chat_reply import read_reply
from tests.chat import ChatServer, completion
from tests.models.test_openai import ask, client, prompt

SCHEMA = {"type": "object", "properties": {"plan": {"type": "array"}}, "required": ["plan"]}


def reply(message: Any, finish: Any = "stop", **more: Any) -> bytes:
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}], **more}).encode()


def choice(text: str | None, finish: str | None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, "finish_reason": finish, **more}]}


@pytest.mark.parametrize(
    ("body", "retryable", "busy"),
    [
        (choice("", "error", error={"code": 502, "message": "gone"}), True, False),
        (choice("The gripper", "error"), True, False),
        (choice("B", "stop", error={"code": 429, "message": "too many"}), True, True),
        (choice("", None) | {"error": {"code": 500, "message": "internal"}}, True, False),
        ({"error": {"code": "502", "message": "gone"}}, True, False),
        ({"error": {"type": "rate_limit_error", "message": "slow down"}}, True, True),
        ({"error": "upstream went away"}, True, False),
        ({"error": {"code": 400, "message": "bad"}, "choices": []}, False, False),
        ({"error": {"type": "invalid_request_error", "message": "bad"}}, False, False),
        ({"error": {"code": "insufficient_quota", "message": "pay"}}, False, False),
        (choice("", "network_error"), True, False),
        (choice("half", "abort"), True, False),
        (choice("half", "insufficient_system_resource"), True, False),
    ],
)
def test_an_error_in_an_accepted_reply_is_a_failed_request(
    body: dict[str, Any], retryable: bool, busy: bool, chat_server: ChatServer
) -> None:
    async def failing(_: dict[str, Any], call: int) -> web.StreamResponse:
        return web.json_response(body)

    chat_server.behave = failing
    with pytest.raises(ModelError) as error:
        ask(client(chat_server), prompt("x"))
    assert (error.value.retryable, error.value.busy) == (retryable, busy)
    assert "\n" not in str(error.value) and chat_server.url in str(error.value)


@pytest.mark.parametrize("nothing", [None, {}, "", False])
def test_an_empty_error_field_is_no_error(nothing: Any) -> None:
    body = choice("B", "stop", error=nothing) | {"error": nothing}
    assert read_reply(json.dumps(body).encode()).text == "B"


@pytest.mark.parametrize(
    ("message", "finish", "expected"),
    [
        ({"content": None, "refusal": "I won't."}, "stop", ("", "refusal", "", "I won't.")),
        ({"refusal": "I won't."}, "stop", ("", "refusal", "", "I won't.")),
        ({"content": None, "tool_calls": [{"id": "c"}]}, "tool_calls",
         ("", "tool_calls", "", '[{"id": "c"}]')),
        ({"content": None}, "content_filter", ("", "content_filter", "", "")),
        ({"content": ""}, "SAFETY", ("", "content_filter", "", "")),
        ({"content": None, "reasoning_content": "A or B?"}, "length",
         ("", "length", "A or B?", "")),
        ({"content": None, "reasoning": "A or B?"}, "stop", ("", "empty", "A or B?", "")),
        ({"content": "B", "reasoning": "A or B?"}, "stop", ("B", "stop", "A or B?", "")),
        ({"content": ""}, "stop", ("", "empty", "", "")),
        ({"content": []}, None, ("", "empty", "", "")),
        ({"content": ""}, "", ("", "empty", "", "")),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, "stop", ("", "refusal", "", "No.")),
        ({"content": "B", "tool_calls": [1]}, "stop", ("B", "stop", "", "")),
        ({"content": "B"}, None, ("B", None, "", "")),
        ({"content": "B"}, "MAX_TOKENS", ("B", "length", "", "")),
        ({"content": [{"type": "text", "text": "B"}, " or", {"type": "text", "text": " C"}]},
         "stop", ("B or C", "stop", "", "")),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "A?"}]},
                      {"type": "text", "text": "B"}]}, "stop", ("B", "stop", "A?", "")),
        ({"content": [{"type": "thinking", "signature": "s", "thinking": "A?"}, "B"]}, "stop",
         ("B", "stop", "A?", "")),
    ],
)  # fmt: skip
def test_what_came_is_kept_apart(
    message: dict[str, Any], finish: str | None, expected: tuple[str, str, str, str]
) -> None:
    said = read_reply(reply(message, finish))
    assert (said.text, said.finish_reason, said.thoughts, said.instead) == expected


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (reply({"content": {"text": "B"}}), "content is an object"),
        (reply({"content": 2}), "content is a number"),
        (reply({"content": True}), "content is true or false"),
        (reply({"content": [{"type": "image_url"}]}), r"content\[0\]"),
        (reply({"content": ["B", 7]}), r"content\[1\] is a number"),
        (reply({"content": [{"type": "text", "text": 5}]}), r"content\[0\]"),
        (reply({"content": None}, None), "content is missing"),
        (reply("B"), "message is a text"),
        (reply({"content": "B"}, ["stop"]), "finish_reason is a list"),
        (b'{"choices": [7]}', r"choices\[0\] is a number"),
        (b'{"choices": []}', "choices is empty"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"choices": ' * 50_000 + b"1" + b"}" * 50_000, "nested too deep"),
        ('{"choices": "ä"}'.encode("latin-1"), "not a chat completion"),
        (reply({"content": "B"}).decode().encode("utf-16"), "not a chat completion"),
        (b'{"choices": [\n\x1b[31m', "not a chat completion"),
        (b"1" * 5000, "not a chat completion"),
    ],
)
def test_an_odd_value_is_one_error_in_one_line_that_names_it(body: bytes, named: str) -> None:
    with pytest.raises(ModelError, match=named) as error:
        read_reply(body)
    message = str(error.value)
    assert message.isprintable() and len(message) < 400


@pytest.mark.parametrize(
    "usage",
    ["n/a", [], 3, None, {"prompt_tokens": "7"}, {"prompt_tokens": float("nan")},
     {"prompt_tokens": -1}, {"prompt_tokens": True}, {"prompt_tokens": 10**400},
     {"prompt_tokens": 7.5}, {"prompt_tokens": [7]}],
)  # fmt: skip
def test_odd_usage_is_left_out(usage: Any) -> None:
    said = read_reply(reply({"content": "B"}, usage=usage))
    assert (said.text, said.tokens_in, said.tokens_out) == ("B", None, None)


CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
          "additionalProperties": False}  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        ({"type": "array", "items": CLOSED}, True),
        (CLOSED | {"required": []}, False),
        ({"type": "array", "items": CLOSED | {"additionalProperties": True}}, False),
        (SCHEMA, False),
    ],
)
def test_strict_is_asked_only_where_the_schema_allows_it(
    schema: dict[str, Any], strict: bool, chat_server: ChatServer
) -> None:
    ask(client(chat_server), prompt("x", json_schema=schema))
    sent = chat_server.bodies[0]["response_format"]["json_schema"]
    assert (sent["schema"], sent.get("strict", False)) == (schema, strict)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ('{"plan": []}', True),
        ('{"steps": []}', False),
        ("I would pick up the cup.", False),
        ('{"plan": [', False),
        ("[" * 100_000, False),
    ],
)
def test_only_an_answer_of_the_schema_was_held_to_it(
    text: str, held: bool, chat_server: ChatServer
) -> None:
    async def say(_: dict[str, Any], call: int) -> web.StreamResponse:
        return completion(text)

    chat_server.behave = say
    (said,) = ask(client(chat_server), prompt("x", json_schema=SCHEMA))
    assert (said.text, said.constrained) == (text, held)
