"""`KEY=VALUE` settings, as command lines and environment variables have them."""

from __future__ import annotations

from pydantic import JsonValue

from er_bench.core.errors import UsageError
from er_bench.core.yaml_files import parse_yaml


def key_values(text: str | None, where: str) -> dict[str, str]:
    """`k=v,k=v` as texts by key; a comma inside brackets or quotes does not separate.

    Raises UsageError that names `where`.
    """
    values: dict[str, str] = {}
    for item in _items(text or ""):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{where} takes k=v,k=v; cannot read {item!r:.80}")
        if key.strip() in values:
            raise UsageError(f"{where} has {key.strip()!r:.80} twice")
        values[key.strip()] = value
    return values


def typed_key_values(text: str | None, where: str) -> dict[str, JsonValue]:
    """The same with each value read as YAML: `4`, `true` and `[1]` mean what they say."""
    return {key: typed(key, value, where) for key, value in key_values(text, where).items()}


def typed(key: str, value: str, where: str) -> JsonValue:
    """A value read as YAML; nothing is the empty text. Raises UsageError that names `where`."""
    return parse_yaml(value, f"{where}: cannot read the value of {key!r}") if value else ""


def _items(text: str) -> list[str]:
    items, depth, quote, start = [], 0, "", 0
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "[{(":
            depth += 1
        elif char in ")}]":
            depth -= 1
        elif char == "," and depth == 0:
            items.append(text[start:at])
            start = at + 1
    return [item for item in [*items, text[start:]] if item.strip()]
