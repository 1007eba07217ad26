"""A model from its name, its card and the command line's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import UsageError
from er_bench.core.model import Model, ModelSettings
from er_bench.core.prompt import Decoding
from er_bench.core.registry import Kind, Registry

Build = Callable[[ModelSettings], Model]


def open_model(
    registry: Registry,
    name: str,
    *,
    backend: str | None = None,
    model_args: Mapping[str, JsonValue] | None = None,
    gen_args: Mapping[str, JsonValue] | None = None,
    dialect: str | None = None,
    seed: int = 0,
) -> Model:
    """A model by card name or `backend/ID`. Loads nothing heavy until it is first asked.

    Raises UsageError that lists what there is.
    """
    forced = _decoding(gen_args or {})
    if "/" in name and name not in registry.model_files:
        prefix, _, checkpoint = name.partition("/")
        chosen = registry.dialect(dialect or BENCHMARK.name)
        args = dict(model_args or {})
        settings = ModelSettings(name, checkpoint, None, chosen, Decoding(), forced, args)
        backend = backend or prefix
    else:
        settings, backend = _of_card(registry, name, backend, model_args or {}, forced, dialect)
    build = cast(Build, registry.find(Kind.BACKEND, backend))
    return build(replace(settings, registry=registry, seed=seed))


def _decoding(gen_args: Mapping[str, JsonValue]) -> Decoding:
    known = Decoding().to_dict()
    if wrong := sorted(set(gen_args) - set(known)):
        raise UsageError(f"--gen-args knows {', '.join(known)}; not {', '.join(wrong)}")
    return Decoding(**gen_args)  # type: ignore[arg-type]


def _of_card(
    registry: Registry,
    name: str,
    backend: str | None,
    model_args: Mapping[str, JsonValue],
    forced: Decoding,
    dialect: str | None,
) -> tuple[ModelSettings, str]:
    card = registry.model_card(name)
    backend = backend or card.backend
    args = {**card.args, **card.backend_args.get(backend, {}), **model_args}
    beside = _beside(registry.model_files[name], card.checkpoint)
    settings = ModelSettings(
        name=card.name,
        checkpoint=str(args.pop("checkpoint", beside)),
        revision=card.revision,
        dialect=registry.dialect(dialect or card.dialect),
        card_decoding=card.decoding,
        forced_decoding=forced,
        args=args,
        family=card.family,
    )
    return settings, backend


def _beside(card: Path, checkpoint: str) -> str:
    """A checkpoint that starts with a dot is a folder, seen from the card's own."""
    return str((card.parent / checkpoint).resolve()) if checkpoint.startswith(".") else checkpoint
