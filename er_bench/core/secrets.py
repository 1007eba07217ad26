"""Keys and passwords, cut out of what is written or printed."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

CUT = "***"
MIN_LENGTH = 6
"""A shorter secret is no secret, and cutting it out of answers would change them."""
_NAME = (
    r"(?:(?:x|api|access|auth|bearer|client|id|private|refresh|secret|session|subscription|"
    r"ocp|apim|goog|openai|anthropic|hf|azure)[-_]?)*"
    r"(?:key|token|secret|password|passwd|pwd|authorization|auth|bearer|credentials?|signature|sig)"
)
NAME = re.compile(_NAME, re.IGNORECASE)
"""Names of fields that hold a secret: `api_key`, `X-Api-Key`, `accessToken`; not `max_tokens`."""
IN_URL = re.compile(r"(?<=://)[^/?#\s\"']*@")
IN_QUERY = re.compile(rf"(?<=[?&])({_NAME}=)[^&#\s\"',}}]+", re.IGNORECASE)
IN_JSON = re.compile(rf"([\"']{_NAME}[\"']\s*:\s*)(\"[^\"]*\"|'[^']*')", re.IGNORECASE)


def cut_from_text(text: str) -> str:
    """A text without what stands where secrets do: in addresses, and under such names in JSON."""
    text = IN_URL.sub(f"{CUT}@", text)
    return IN_JSON.sub(rf'\1"{CUT}"', IN_QUERY.sub(rf"\1{CUT}", text))


def cut_fields(value: Any) -> Any:
    """A JSON value with the fields of such names masked, however deep, and its texts cut."""
    match value:
        case Mapping():
            return {n: CUT if _is_secret(n, v) else cut_fields(v) for n, v in value.items()}
        case list() | tuple():
            return [cut_fields(inside) for inside in value]
        case str():
            return cut_from_text(value)
    return value


def secrets_in(value: object) -> set[str]:
    """The secrets themselves: of the fields of such names, and of the addresses in a JSON value."""
    return set(_secrets(value, inside_one=False))


def cut_values(text: str, secrets: Iterable[str]) -> str:
    """A text without these secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_LENGTH:
            text = text.replace(secret, CUT)
    return text


def _is_secret(name: str, value: object) -> bool:
    return NAME.fullmatch(name) is not None and isinstance(value, str | list | tuple | Mapping)


def _secrets(value: object, *, inside_one: bool) -> Iterator[str]:
    match value:
        case Mapping():
            for name, inside in value.items():
                yield from _secrets(inside, inside_one=inside_one or _is_secret(name, inside))
        case list() | tuple():
            for inside in value:
                yield from _secrets(inside, inside_one=inside_one)
        case str(text) if inside_one:
            yield text
            yield from text.split()[1:]  # `Bearer KEY`
        case str(text):
            yield from _in_address(text)


def _in_address(text: str) -> Iterator[str]:
    try:
        parts = urlsplit(text)
        held = [parts.password or parts.username or ""]
    except ValueError:
        return
    if parts.password:
        held.append(base64.b64encode(unquote(parts.netloc.rpartition("@")[0]).encode()).decode())
    for name, _, inside in (field.partition("=") for field in parts.query.split("&")):
        if NAME.fullmatch(name):
            held.append(inside)
    for secret in held:
        yield from {secret, unquote(secret)} - {""}
