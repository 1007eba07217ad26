"""Model families by the name on a card, by a checkpoint's configuration, by a server's settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib import import_module

from er_bench.core.errors import ConfigError
from er_bench.core.family import AnyFamily

OTHER = "er_bench.models.auto.family:FAMILY"
"""Every family that transformers knows: asked by its own processor where no other owns it."""

BUILT_IN: Mapping[str, str] = {
    "internvl": "er_bench.models.internvl.family:FAMILY",
    "qwen2_5_vl": OTHER,
}
"""Name to module and attribute; imported when it is asked for."""


def family(name: str) -> AnyFamily:
    """The family called `name`. Raises ConfigError that lists the names there are."""
    if name not in BUILT_IN:
        known = ", ".join(BUILT_IN)
        raise ConfigError(f"there is no model family {name!r}; there are: {known}")
    return _imported(BUILT_IN[name])


def every() -> list[AnyFamily]:
    """Each family once; the one that owns whatever is left comes last."""
    own = [path for path in dict.fromkeys(BUILT_IN.values()) if path != OTHER]
    return [_imported(path) for path in (*own, OTHER)]


def family_of(config: Mapping[str, object]) -> AnyFamily:
    """The family of a checkpoint, by its `config.json`."""
    return next(found for found in every() if found.owns(config))


def served_family(name: str | None, settings: Collection[str]) -> AnyFamily:
    """The family of a model on a server: the named one, else the first that knows a setting."""
    if name is not None and name in BUILT_IN:
        return family(name)
    fits = (found for found in every() if not found.served.model_fields.keys().isdisjoint(settings))
    return next(fits, _imported(OTHER))


@cache
def _imported(path: str) -> AnyFamily:
    module, attribute = path.split(":")
    found: AnyFamily = getattr(import_module(module), attribute)
    return found
