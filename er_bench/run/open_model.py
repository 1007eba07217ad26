"""A model from its name, its card and the command line's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from os.path import isdir
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from er_bench.core.dialect import BENCHMARK
from er_bench.core.errors import UsageError
from er_bench.core.model import Model, ModelSettings
from er_bench.core.paths import resolved
from er_bench.core.prompt import Decoding
from er_bench.core.registry import Kind, Registry, unknown

Build = Callable[[ModelSettings], Model]
LOCAL = "transformers"
"""The backend of a checkpoint that is named without one."""


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
    """A model by card name, `backend/ID`, folder or hub id.

    A folder (`./DIR`, `/DIR`) and an id of the hub (`ORG/NAME`) alone are run by `transformers`; so
    is lm-eval's `hf` with `pretrained` among the arguments. Loads nothing heavy until it is first
    asked. Raises UsageError that lists what there is.
    """
    forced = _decoding(gen_args or {})
    model_args = dict(model_args or {})
    if name == "hf" and name not in registry.model_files:
        name = f"{LOCAL}/{_pretrained(model_args)}"
    if "/" in name and name not in registry.model_files:
        name = _spelled_out(registry, name, backend)
        prefix, checkpoint = _parts(registry, name, backend)
        chosen = registry.dialect(dialect or BENCHMARK.name)
        args = model_args
        settings = ModelSettings(name, checkpoint, None, chosen, Decoding(), forced, args)
        backend = backend or prefix
    else:
        settings, backend = _of_card(registry, name, backend, model_args, forced, dialect)
    build = cast(Build, registry.find(Kind.BACKEND, backend))
    return build(replace(settings, registry=registry, seed=seed))


def _pretrained(model_args: dict[str, JsonValue]) -> JsonValue:
    """The checkpoint of lm-eval's spelling, taken out of the arguments. Raises UsageError."""
    if "pretrained" not in model_args:
        raise UsageError("--model hf needs --model-args pretrained=FOLDER_OR_HUB_ID")
    return model_args.pop("pretrained")


def _spelled_out(registry: Registry, name: str, backend: str | None) -> str:
    """A folder, or an id of the hub, as `backend/ID`; anything else as it is.

    Raises UsageError for a folder that is not there, and for what looks like a misspelt backend.
    """
    prefix, _, rest = name.partition("/")
    known = registry.names(Kind.BACKEND)
    if prefix in ("", ".", "..", "~"):
        folder = resolved(Path(name).expanduser())
        if not isdir(folder):
            raise UsageError(f"--model {name}: there is no folder {folder}")
        return f"{backend or LOCAL}/{folder}"
    if prefix in known or backend is not None:
        return name
    if near := get_close_matches(prefix, known, 1):
        raise UsageError(
            f"there is no backend {prefix!r}; did you mean {near[0]}/{rest}? there are: "
            f"{', '.join(known)}. A model of the hub that is called so: --model {LOCAL}/{name}"
        )
    return f"{LOCAL}/{name}"


def _parts(registry: Registry, name: str, backend: str | None) -> tuple[str, str]:
    """Backend and checkpoint of `backend/ID`, or of an id of the hub with its backend beside it."""
    prefix, _, checkpoint = name.partition("/")
    if prefix in registry.names(Kind.BACKEND):
        return prefix, checkpoint
    return backend or LOCAL, name


def _decoding(gen_args: Mapping[str, JsonValue]) -> Decoding:
    known = Decoding().to_dict()
    if wrong := sorted(set(gen_args) - set(known)):
        raise unknown("--gen-args setting", wrong[0], known)
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
    return str(resolved(card.parent / checkpoint)) if checkpoint.startswith(".") else checkpoint
