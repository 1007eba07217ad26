"""The body of a chat completion, read: what the model said, or why the request failed.

A gateway that loses its upstream answers 200 and writes the error into the body. Such a body, and
one that has another form than the API's, is a failed request and never an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from er_bench.core.completion import Completion, one_line
from er_bench.core.errors import ModelError

RETRYABLE = {408, 409, 425, 429, 500, 502, 503, 504, *range(520, 531)}
"""HTTP statuses after which the same request may succeed; 520 to 530 are a proxy's."""
BUSY = {429, 529}
"""HTTP statuses of a server that is asked too much."""
FAILED = re.compile(r"error|abort|cancel|fail|timeout|timed_out|unavailable|insufficient")
"""In a finish reason: the answer was broken off on the server's side."""
FINISHES = {
    "content_filtered": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "max_tokens": "length",
    "model_length": "length",
}
"""Other servers' words for the API's finish reasons, in lower case."""
FINAL = re.compile(r"invalid|auth|permission|not_found|quota|unsupported|policy|filter|context_len")
"""In an error's type or code: asking again does not help."""
THOUGHTS = ("reasoning_content", "reasoning")
"""Fields of a message in which servers put thoughts."""
MAX_TOKENS = 2**53
"""More is no count of tokens."""
SHOWN = 200
"""Characters of a reply that an error shows."""


@dataclass(slots=True)
class _Said:
    text: str = ""
    thoughts: str = ""
    refusal: str = ""


def read_reply(content: bytes) -> Completion:
    """The answer in a reply's body; its time, pictures and schema are the caller's to add.

    Without a text, `finish_reason` tells why: `refusal`, `tool_calls`, `content_filter`, `length`,
    or `empty`. Raises ModelError, and nothing else, whatever the bytes are.
    """
    try:
        return _completion(json.loads(content.decode("utf-8-sig")))
    except RecursionError as error:
        raise ModelError("not a chat completion: nested too deep", retryable=True) from error
    except ValueError as error:
        shown = one_line(content[:SHOWN].decode(errors="replace"))
        raise ModelError(f"not a chat completion: {shown}", retryable=True) from error


def _completion(reply: object) -> Completion:
    body = _object(reply, "the reply")
    _raise_error(body)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise _odd("choices", choices)
    choice = _object(choices[0], "choices[0]")
    _raise_error(choice)
    finish = _finish(choice.get("finish_reason"))
    message = _object(choice.get("message"), "message")
    said = _said(message)
    calls = message.get("tool_calls") or message.get("function_call")
    if not said.text:
        finish = _why_no_text(finish, said, calls, message)
    usage = body.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Completion(
        text=said.text,
        thoughts=said.thoughts,
        instead=said.refusal or (json.dumps(calls) if calls and not said.text else ""),
        finish_reason=finish,
        tokens_in=_count(counts.get("prompt_tokens")),
        tokens_out=_count(counts.get("completion_tokens")),
    )


def _object(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _odd(field, value)
    return value


def _odd(field: str, value: object) -> ModelError:
    kind = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    what = "missing" if value is None else kind.get(type(value), "a number")
    shown = "" if value is None else f": {one_line(repr(value))}"
    if value == []:
        what, shown = "empty", ""
    return ModelError(f"not a chat completion: {field} is {what}{shown}", retryable=True)


def _raise_error(body: Mapping[str, Any]) -> None:
    """Raise the ModelError that an `error` field tells of; an empty one tells of none."""
    error = body.get("error")
    if not error:
        return
    told = error if isinstance(error, dict) else {"message": error}
    message, code = told.get("message"), told.get("code", told.get("status"))
    kind = f"{code} {told.get('type')}".lower()
    number = str(code)
    status = int(number) if re.fullmatch("[1-5][0-9][0-9]", number) else None
    shown = message if isinstance(message, str) else repr(error)
    name = "" if code is None else f" {one_line(number, 40)}"
    raise ModelError(
        f"the reply holds an error{name}: {one_line(shown)}",
        retryable=not FINAL.search(kind) if status is None else status in RETRYABLE,
        busy=status in BUSY or "rate_limit" in kind,
    )


def _finish(reason: object) -> str | None:
    if reason is None:
        return None
    if not isinstance(reason, str):
        raise _odd("finish_reason", reason)
    word = reason.lower()
    if FAILED.search(word):
        raise ModelError(
            f"the server broke the answer off: finish_reason {one_line(reason, 60)}", retryable=True
        )
    return FINISHES.get(word, one_line(reason, 60))


def _said(message: Mapping[str, Any]) -> _Said:
    said = _Said()
    match message.get("content"):
        case None:
            pass
        case str(text):
            said.text = text
        case list(parts):
            for place, part in enumerate(parts):
                _add_part(said, part, f"content[{place}]")
        case other:
            raise _odd("content", other)
    if isinstance(refusal := message.get("refusal"), str):
        said.refusal += refusal
    for name in THOUGHTS:
        if isinstance(thoughts := message.get(name), str) and not said.thoughts:
            said.thoughts = thoughts
    return said


def _add_part(said: _Said, part: object, field: str) -> None:
    """Add one part of a content that is a list of them."""
    match part:
        case str(text):
            said.text += text
        case {"type": "text" | "output_text", "text": str(text)}:
            said.text += text
        case (
            {"type": "thinking" | "reasoning", "thinking": thoughts}
            | {"type": "thinking" | "reasoning", "reasoning": thoughts}
            | {"type": "thinking" | "reasoning", "text": thoughts}
        ):
            said.thoughts += _thoughts(thoughts, field)
        case {"type": "refusal", "refusal": str(refusal)}:
            said.refusal += refusal
        case {"type": "redacted_thinking"}:
            pass
        case _:
            raise _odd(field, part)


def _thoughts(value: object, field: str) -> str:
    match value:
        case str(text) | {"text": str(text)}:
            return text
        case list(parts):
            return "".join(_thoughts(part, field) for part in parts)
    raise _odd(field, value)


def _why_no_text(finish: str | None, said: _Said, calls: object, message: Mapping[str, Any]) -> str:
    """The finish reason of an answer without a text."""
    if said.refusal:
        return "refusal"
    if calls:
        return "tool_calls"
    if finish is None and message.get("content") is None and not said.thoughts:
        raise _odd("content", None)
    return "empty" if finish in (None, "", "stop") else finish


def _count(tokens: object) -> int | None:
    if not isinstance(tokens, int) or isinstance(tokens, bool):
        return None
    return tokens if 0 <= tokens <= MAX_TOKENS else None
