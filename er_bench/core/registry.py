"""Names to tasks, models and dialects: built in, from entry points, from --include-path.

A task is a folder with `card.yaml` and `task.py`, which has one class called `TASK`. A model is a
card. Listing reads cards only; a task's code is imported when the task is opened.

Entry points: `er_bench.tasks` and `er_bench.models` name packages whose folder is searched like
`tasks/` and `models/cards/`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from er_bench.core.card import ModelCard, TaskCard, model_card, task_card
from er_bench.core.dialect import BENCHMARK, AnyDialect
from er_bench.core.errors import ConfigError, UsageError
from er_bench.core.model import Model, ModelSettings
from er_bench.core.prompt import Decoding
from er_bench.core.task import Task

_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Registry:
    """Every name that er-bench knows. `include` holds the folders given with --include-path."""

    include: Sequence[Path] = field(default=())

    @cached_property
    def task_folders(self) -> dict[str, Path]:
        """The folder of each task, by name."""
        roots = [_PACKAGE / "tasks", *_entry_point_folders("er_bench.tasks"), *self.include]
        folders: dict[str, Path] = {}
        for root in roots:
            for card in sorted([*root.glob("card.yaml"), *root.glob("*/card.yaml")]):
                name = card.parent.name
                if name in folders:
                    raise ConfigError(f"two tasks are called {name!r}: {folders[name]}, {root}")
                folders[name] = card.parent
        return folders

    @cached_property
    def model_files(self) -> dict[str, Path]:
        """The card of each model, by name."""
        roots = [_PACKAGE / "models" / "cards", *_entry_point_folders("er_bench.models")]
        files = {path.stem: path for root in roots for path in sorted(root.glob("*.yaml"))}
        for root in self.include:
            files |= {path.stem: path for path in sorted(root.glob("*.yaml"))}
        return files

    def task_card(self, name: str) -> TaskCard:
        """A task's card. Raises UsageError that lists the names there are."""
        if name not in self.task_folders:
            raise UsageError(
                f"there is no task {name!r}; there are: {', '.join(sorted(self.task_folders))}"
            )
        card = task_card(self.task_folders[name] / "card.yaml")
        if card.name != name:
            raise ConfigError(f"the card in folder {name!r} calls itself {card.name!r}")
        return card

    def model_card(self, name: str) -> ModelCard:
        """A model's card. Raises UsageError that lists the names there are."""
        if name not in self.model_files:
            raise UsageError(
                f"there is no model card {name!r}; there are: "
                f"{', '.join(sorted(self.model_files))}; or write backend/ID"
            )
        return model_card(self.model_files[name])

    def open_task(self, name: str, root: Path, protocol: str | None = None) -> Task:
        """A task on a folder of data. `protocol` is one of the card's; None is its first."""
        card = self.task_card(name)
        protocol = protocol or next(iter(card.protocols))
        if protocol not in card.protocols:
            raise UsageError(
                f"task {name!r} has no protocol {protocol!r}; it has: {', '.join(card.protocols)}"
            )
        module = _task_module(name, self.task_folders[name] / "task.py")
        task_type: type[Task] = module.TASK
        return task_type(card, root, protocol)

    def mini_root(self, name: str) -> Path:
        """The folder of a task's bundled rows. Raises UsageError when it has none."""
        self.task_card(name)
        root = self.task_folders[name] / "mini"
        if not root.is_dir():
            raise UsageError(f"task {name!r} has no mini split")
        return root

    def select(self, text: str) -> list[str]:
        """The task names in a comma-separated list of names, groups and `all`, in that order.

        A name may carry a protocol, `where2place@box_pixels`.
        """
        cards = {name: self.task_card(name) for name in self.task_folders}
        groups: dict[str, list[str]] = {"all": [n for n, c in cards.items() if c.in_all]}
        for name, card in cards.items():
            for group in card.groups:
                groups.setdefault(group, []).append(name)
        chosen: list[str] = []
        for word in filter(None, (w.strip() for w in text.split(","))):
            name = word.partition("@")[0]
            if word in groups:
                chosen += groups[word]
            elif name in cards:
                chosen.append(word)
            else:
                raise UsageError(
                    f"there is no task or group {word!r}; tasks: {', '.join(sorted(cards))}; "
                    f"groups: {', '.join(sorted(groups))}"
                )
        if not chosen:
            raise UsageError("no task was named")
        return list(dict.fromkeys(chosen))


def _entry_point_folders(group: str) -> list[Path]:
    folders = []
    for point in entry_points(group=group):
        spec = importlib.util.find_spec(point.value)
        if spec is None or not spec.submodule_search_locations:
            raise ConfigError(f"entry point {point.name!r} of {group} names no package")
        folders += [Path(p) for p in spec.submodule_search_locations]
    return folders


def _task_module(name: str, file: Path):  # type: ignore[no-untyped-def]
    if file.is_relative_to(_PACKAGE):
        return importlib.import_module(f"er_bench.tasks.{name}.task")
    module_name = f"er_bench_included_{name}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, file)
        if spec is None or spec.loader is None:
            raise ConfigError(f"cannot import {file}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        spec.loader.exec_module(module)
    return sys.modules[module_name]


def dialect(name: str) -> AnyDialect:
    """A dialect by name. Raises UsageError that lists the names there are."""
    from er_bench.models.dialects import DIALECTS

    if name == BENCHMARK.name:
        return BENCHMARK
    if name not in DIALECTS:
        known = ", ".join(dialect_names())
        raise UsageError(f"there is no dialect {name!r}; there are: {known}")
    return DIALECTS[name]


def open_model(
    registry: Registry,
    name: str,
    *,
    backend: str | None = None,
    model_args: dict[str, Any] | None = None,
    gen_args: dict[str, Any] | None = None,
    dialect_name: str | None = None,
    seed: int = 0,
) -> Model:
    """A model by card name or `backend/ID`. Loads nothing heavy until it is first asked.

    Raises UsageError that lists what there is.
    """
    settings, backend = _settings(
        registry, name, backend, model_args or {}, gen_args or {}, dialect_name
    )
    module = f"er_bench.models.{backend.replace('-', '_')}"
    if importlib.util.find_spec(module) is None:
        raise UsageError(f"there is no backend {backend!r}")
    model: Model = importlib.import_module(module).build(replace(settings, seed=seed))
    return model


def _settings(
    registry: Registry,
    name: str,
    backend: str | None,
    model_args: dict[str, Any],
    gen_args: dict[str, Any],
    dialect_name: str | None,
) -> tuple[ModelSettings, str]:
    try:
        forced = Decoding(**gen_args)
    except TypeError:
        known = ", ".join(Decoding().to_dict())
        raise UsageError(f"--gen-args knows {known}; not {', '.join(gen_args)}") from None
    prefix, _, checkpoint = name.partition("/")
    if checkpoint and name not in registry.model_files:
        chosen = dialect(dialect_name or BENCHMARK.name)
        settings = ModelSettings(name, checkpoint, None, chosen, Decoding(), forced, model_args)
        return settings, backend or prefix
    card = registry.model_card(name)
    backend = backend or card.backend
    args = {**card.args, **card.backend_args.get(backend, {}), **model_args}
    settings = ModelSettings(
        name=card.name,
        checkpoint=args.pop("checkpoint", _beside(registry.model_files[name], card.checkpoint)),
        revision=card.revision,
        dialect=dialect(dialect_name or card.dialect),
        card_decoding=card.default_decoding(),
        forced_decoding=forced,
        args=args,
    )
    return settings, backend


def _beside(card: Path, checkpoint: str) -> str:
    """A checkpoint that starts with a dot is a folder, seen from the card's own."""
    return str((card.parent / checkpoint).resolve()) if checkpoint.startswith(".") else checkpoint


def dialect_names() -> list[str]:
    """Every dialect's name."""
    from er_bench.models.dialects import DIALECTS

    return sorted([BENCHMARK.name, *DIALECTS])
