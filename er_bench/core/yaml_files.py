"""YAML as cards, recipes, `--config` and settings have it: plain values, of a bounded size.

The text is looked through event by event before anything is built of it: libyaml's builder ends
the process on deep nesting, and aliases of aliases grow without bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import JsonValue, ValidationError

from er_bench.core.errors import ConfigError
from er_bench.core.limits import DEPTH, YAML_BYTES, YAML_VALUES
from er_bench.core.plain_text import decoded, whole_text

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SHOWN = 5
"""How many problems of a file a message lists."""


def read_yaml(path: Path, what: str) -> JsonValue:
    """The plain value in a YAML file. Raises ConfigError that says `what` the file should be."""
    try:
        with path.open("rb") as file:
            content = file.read(YAML_BYTES.most + 1)
        if len(content) > YAML_BYTES.most:
            raise ValueError(YAML_BYTES.passed(path.stat().st_size))
        return _parsed(decoded(content))
    except FileNotFoundError:
        raise ConfigError(f"there is no {what} {path}") from None
    except OSError as error:
        raise ConfigError(f"cannot read the {what} {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"cannot read the {what} {path}: {error}") from error


def parse_yaml(text: str, where: str) -> JsonValue:
    """The plain value that a text spells. Raises ConfigError that begins with `where`."""
    try:
        if len(text) > YAML_BYTES.most:
            raise ValueError(YAML_BYTES.passed(len(text)))
        return _parsed(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _parsed(text: str) -> JsonValue:
    """The value. Raises ValueError of one line."""
    try:
        _check_size(text)
        found: JsonValue = yaml.load(text, Loader=_Loader)
        for place, value in _leaves(found, ()):
            _check_plain(place, value)
        return found
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError,
            RecursionError) as error:  # fmt: skip
        raise ValueError(f"{' '.join(str(error).split()):.400}") from error


def _check_size(text: str) -> None:
    """Refuse what is nested too deep, and what is too large with its aliases written out."""
    total, sizes = 0, dict[str, int]()
    begun: list[tuple[str | None, int]] = []
    for event in yaml.parse(text, Loader=_Loader):
        match event:
            case yaml.AliasEvent():
                if event.anchor not in sizes:
                    raise ValueError(f"the alias *{event.anchor} stands before its end")
                total += sizes[event.anchor]
            case yaml.ScalarEvent():
                total += 1
                if event.anchor:
                    sizes[event.anchor] = 1
            case yaml.CollectionStartEvent():
                begun.append((event.anchor, total))
                total += 1
                if len(begun) > DEPTH.most:
                    raise ValueError(f"nested too deep; {DEPTH.passed(len(begun))}")
            case yaml.CollectionEndEvent():
                anchor, before = begun.pop()
                if anchor:
                    sizes[anchor] = total - before
        if total > YAML_VALUES.most:
            raise ValueError(YAML_VALUES.passed(total))


def _leaves(value: object, place: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    """Every name and every value that holds no others, and the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{'.'.join(place)}: the name {key!r:.60} is no text; quote it")
            yield ".".join(place), key
            yield from _leaves(inner, (*place, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, place)
    else:
        yield ".".join(place), value


def _check_plain(place: str, value: object) -> None:
    at = f"{place}: " if place else ""
    if isinstance(value, str):
        if not whole_text(value) or "\0" in value:
            raise ValueError(f"{at}{value!r:.60} is no text")
    elif isinstance(value, int):
        if abs(value) >= 2**63:
            raise ValueError(f"{at}{str(value)[:20]}.. is no number of 64 bits")
    elif value is not None and not isinstance(value, float):
        raise ValueError(f"{at}{value!s:.60} is read as a {type(value).__name__}; quote it")


def faults(error: ValidationError, known: Sequence[str] = ()) -> str:
    """What pydantic found wrong, in one line; an unknown name with the nearest of those known."""
    told = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(map(str, fault["loc"]))
        near = get_close_matches(name, known, 1) if fault["type"] == "extra_forbidden" else []
        hint = f"; did you mean {near[0]}?" if near else ""
        told.append(f"{f'{name:.80}: ' if name else ''}{fault['msg']:.200}{hint}")
    rest = [f"and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
    return " ".join("; ".join(told[:SHOWN] + rest).split())
