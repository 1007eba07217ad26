"""A part of a foreign configuration: its values checked, its unknown names refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from er_bench.core.errors import ConfigError


class Part(BaseModel):
    """A part of a configuration. Values are not converted: text is no number."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


PartT = TypeVar("PartT", bound=Part)


def validated(kind: type[PartT], config: Mapping[str, object]) -> PartT:
    """A part with every value checked. Raises ConfigError that names the first wrong field."""
    try:
        return kind.model_validate(config)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(step) for step in wrong["loc"])
        if wrong["type"] == "missing":
            raise ConfigError(f"it has no {place}") from error
        raise ConfigError(
            f"it has {place} = {shortened(wrong['input'])}, which er-bench does not support: "
            f"{wrong['msg']}"
        ) from error


def check_names(
    config: Mapping[str, object], known: Collection[str], unused: Collection[str], part: str = ""
) -> None:
    """Raise ConfigError for a field that nobody knows, with the nearest that there are."""
    names = [*known, *unused]
    for name, value in config.items():
        if name in names or value is None:
            continue
        near = get_close_matches(name, known, 1) or get_close_matches(name, unused, 1, 0.8)
        hint = f"did you mean {part}{near[0]}? Else take" if near else "take"
        raise ConfigError(
            f"it has {part}{name} = {shortened(value)}, which er-bench does not know; {hint} it "
            "out of the file if no answer depends on it"
        )


def shortened(value: object) -> str:
    """A foreign value in at most 60 characters."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
