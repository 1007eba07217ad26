"""Model families by a checkpoint's configuration and by a server's settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from er_bench.core.family import AnyFamily
from er_bench.core.registry import Kind, Registry
from er_bench.models.auto.family import FAMILY as OTHER


def family(registry: Registry, name: str) -> AnyFamily:
    """The family called `name`. Raises UsageError that lists the names there are."""
    return cast(AnyFamily, registry.find(Kind.FAMILY, name))


def every(registry: Registry) -> list[AnyFamily]:
    """Each family once; the one that owns whatever is left comes last."""
    found = [family(registry, name) for name in registry.names(Kind.FAMILY)]
    return [*(one for one in found if one is not OTHER), OTHER]


def family_of(registry: Registry, config: Mapping[str, object]) -> AnyFamily:
    """The family of a checkpoint, by its `config.json`."""
    return next(found for found in every(registry) if found.owns(config))


def served_family(registry: Registry, name: str | None, settings: Collection[str]) -> AnyFamily:
    """The family of a model on a server: the named one, else the first that knows a setting."""
    if name is not None and name in registry.names(Kind.FAMILY):
        return family(registry, name)
    fits = (
        found
        for found in every(registry)
        if not found.served.model_fields.keys().isdisjoint(settings)
    )
    return next(fits, OTHER)
