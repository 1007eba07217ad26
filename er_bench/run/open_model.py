"""A model from its name, its card and the command line's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
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
        prefix, checkpoint = _parts(registry, name, backend)
        chosen = registry.dialect(dialect or BENCHMARK.name)
        args = dict(model_args or {})
        settings = ModelSettings(name, checkpoint, None, chosen, Decoding(), forced, args)
        backend = backend or prefix
    else:
        settings, backend = _of_card(registry, name, backend, model_args or {}, forced, dialect)
    build = cast(Build, registry.find(Kind.BACKEND, backend))
    return build(replace(settings, registry=registry, seed=seed))


def _parts(registry: Registry, name: str, backend: str | None) -> tuple[str, str]:
    """Backend and checkpoint of `backend/ID`.

    Raises UsageError with the right spelling for a folder, or an id of the hub, alone.
    """
    prefix, _, checkpoint = name.partition("/")
    if prefix in registry.names(Kind.BACKEND):
        return prefix, checkpoint
    with_backend = backend or "transformers"
    if prefix in ("", ".", "..", "~"):
        folder = Path(name).expanduser().resolve()
        if not folder.is_dir():
            raise UsageError(f"--model {name}: there is no folder {folder}")
        raise UsageError(
            f"--model {name} is a folder; say what runs it: --model {with_backend}/{folder}"
        )
    if backend is not None:
        return backend, name
    known = registry.names(Kind.BACKEND)
    near = get_close_matches(prefix, known, 1)
    hint = f"did you mean {near[0]}/{checkpoint}? " if near else ""
    raise UsageError(
        f"there is no backend {prefix!r}; {hint}there are: {', '.join(known)}. For a model of the "
        f"Hugging Face hub: --model transformers/{name}; for a served one: --model openai/{name} "
        "--model-args base_url=http://HOST:8000/v1"
    )


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
