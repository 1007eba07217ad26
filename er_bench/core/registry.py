"""Names to what they stand for: built in, from entry points, from `--include-path`.

Tasks and models are files: a task is a folder with `card.yaml` and `task.py` (whose `TASK` is the
class) and, for reference models, `reference.py` (whose `REFERENCE` is its companion); a model is a
card. Listing reads cards only; code is imported when it is needed.

Backends, dialects, families (of models, of policies that are trained), simulators and exporters are
objects under a name. A package brings
them by the entry points `er_bench.backends` and so on, and tasks and cards by `er_bench.tasks` and
`er_bench.models`, which name packages whose folders are searched. A folder of `--include-path`
brings tasks and cards, and objects in a `plugin.py` with `BACKENDS = {name: object}` and so on.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from os.path import isdir
from pathlib import Path
from types import ModuleType
from typing import cast

from er_bench.core.card import ModelCard, TaskCard, model_card, task_card
from er_bench.core.dialect import BENCHMARK, AnyDialect, Dialect
from er_bench.core.errors import ConfigError, ErBenchError, UsageError
from er_bench.core.paths import resolved
from er_bench.core.reference import AnyReference
from er_bench.core.task import AnyTask

_PACKAGE = Path(__file__).parent.parent
PLUGIN = "plugin.py"


class Kind(StrEnum):
    """The kinds of named objects."""

    BACKEND = "backend"
    DIALECT = "dialect"
    FAMILY = "family"
    POLICY = "policy"
    SIMULATOR = "simulator"
    EXPORTER = "exporter"

    @property
    def plural(self) -> str:
        """As entry-point groups and plug-ins spell it."""
        return f"{self[:-1]}ies" if self.endswith("y") else f"{self}s"


_BUILT_IN = {
    Kind.BACKEND: "er_bench.models:BACKENDS",
    Kind.DIALECT: "er_bench.models.dialects:DIALECTS",
    Kind.FAMILY: "er_bench.models:FAMILIES",
    Kind.POLICY: "er_bench.models:POLICIES",
    Kind.SIMULATOR: "er_bench.sim.simulators:SIMULATORS",
    Kind.EXPORTER: "er_bench.report.exports.formats:EXPORTERS",
}
"""Where er-bench's own tables are: objects by name, or `module:attribute` in place of an object."""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """Everything that opens a task, as names and paths: it can be sent to another process."""

    name: str
    root: Path
    protocol: str | None = None
    """One of the card's; None is its first."""
    dialect: str = BENCHMARK.name
    with_media: bool = True


@dataclass(frozen=True)
class Registry:
    """Every name that er-bench knows. `include` holds the folders given with --include-path."""

    include: Sequence[Path] = field(default=())

    def __post_init__(self) -> None:
        """Raise UsageError for a folder that is not there."""
        for folder in self.include:
            if not isdir(folder):
                beside = folder.parent.glob("*/") if isdir(folder.parent) else ()
                near = get_close_matches(folder.name, [path.name for path in beside], 1)
                hint = f"; did you mean {folder.with_name(near[0])}?" if near else ""
                raise UsageError(f"--include-path: there is no folder {folder!s:.200}{hint}")

    def __reduce__(self) -> tuple[type[Registry], tuple[Sequence[Path]]]:
        """Sent to another process by its folders alone: what they bring is looked up there."""
        return Registry, (self.include,)

    # Tasks and models: folders and cards.

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
        """The card of each model, by name; a later one of the same name wins."""
        roots = [_PACKAGE / "models" / "cards", *_entry_point_folders("er_bench.models")]
        return {
            path.stem: path
            for root in [*roots, *self.include]
            for path in sorted(root.glob("*.yaml"))
            if path.name != "card.yaml" and not path.name.startswith(".")
        }

    def task_card(self, name: str) -> TaskCard:
        """A task's card. Raises UsageError that names the nearest there are."""
        if name not in self.task_folders:
            raise unknown("task", name, self.task_folders)
        if name not in self._task_cards:
            card = task_card(self.task_folders[name] / "card.yaml")
            if card.name != name:
                raise ConfigError(f"the card in folder {name!r} calls itself {card.name!r}")
            self._task_cards[name] = card
        return self._task_cards[name]

    def model_card(self, name: str) -> ModelCard:
        """A model's card. Raises UsageError that names the nearest there are."""
        if name not in self.model_files:
            raise unknown("model card", name, self.model_files, "; or write backend/ID")
        return model_card(self.model_files[name])

    def open_task(self, spec: TaskSpec) -> AnyTask:
        """A task on a folder of data. Raises UsageError for an unknown name or protocol."""
        card = self.task_card(spec.name)
        protocol = spec.protocol or next(iter(card.protocols))
        if protocol not in card.protocols:
            raise unknown(f"protocol of task {spec.name}", protocol, card.protocols)
        task_type = cast("type[AnyTask]", self._of_task(spec.name, "task"))
        dialect = self.dialect(spec.dialect)
        return task_type(card, spec.root, protocol, dialect, with_media=spec.with_media)

    def open_mini(self, name: str, dialect: str = BENCHMARK.name) -> AnyTask:
        """A task on its bundled rows."""
        return self.open_task(TaskSpec(name, self.mini_root(name), dialect=dialect))

    def reference(self, task: AnyTask) -> AnyReference | None:
        """A task's companion, or None where its folder brings none."""
        if not (self.task_folders[task.name] / "reference.py").is_file():
            return None
        companion = cast("type[AnyReference]", self._of_task(task.name, "reference"))
        return companion(task)

    def mini_root(self, name: str) -> Path:
        """The folder of a task's bundled rows. Raises UsageError when it has none."""
        self.task_card(name)
        root = self.task_folders[name] / "mini"
        if not isdir(root):
            raise UsageError(f"task {name!r} has no mini split")
        return root

    def own_root(self, name: str) -> Path:
        """The folder of the rows that a task is run on by default, where they are er-bench's."""
        bundled = self.task_card(name).dataset.bundled
        return self.task_folders[name] / "official" if bundled else self.mini_root(name)

    def data_builder(self, name: str) -> ModuleType:
        """A task's `build` module. Raises UsageError that lists the tasks that have one."""
        able = [n for n, folder in self.task_folders.items() if (folder / "build.py").is_file()]
        if name not in able:
            raise UsageError(f"task {name!r} builds no data; these do: {', '.join(sorted(able))}")
        return self._task_module(name, "build")

    def _of_task(self, name: str, part: str) -> object:
        """`TASK` of a task's `task.py`, or `REFERENCE` of its `reference.py`."""
        file = self.task_folders[name] / f"{part}.py"
        if not file.is_file():
            raise ConfigError(f"task {name!r}: there is no {file}; it defines {part.upper()}")
        found = getattr(self._task_module(name, part), part.upper(), None)
        if not isinstance(found, type):
            raise ConfigError(f"{file} sets no {part.upper()} to a class: {part.upper()} = MyClass")
        return found

    def _task_module(self, name: str, part: str) -> ModuleType:
        folder = self.task_folders[name]
        if folder.is_relative_to(_PACKAGE):
            return importlib.import_module(f"er_bench.tasks.{name}.{part}")
        return _included_module(folder, part)

    def select(self, text: str) -> list[str]:
        """The task names in a comma-separated list of names, groups and `all`, in that order.

        A name may carry a protocol, `where2place@box_pixels`; with its first one it is the name
        alone, so that nothing is chosen twice.
        """
        cards = {name: self.task_card(name) for name in self.task_folders}
        groups: dict[str, list[str]] = {"all": [n for n, c in cards.items() if c.in_all]}
        for name, card in cards.items():
            for group in card.groups:
                groups.setdefault(group, []).append(name)
        chosen: list[str] = []
        for word in filter(None, (w.strip() for w in text.split(","))):
            name, _, protocol = word.partition("@")
            if word in groups:
                chosen += groups[word]
            elif name in cards:
                first = next(iter(cards[name].protocols))
                chosen.append(name if protocol in ("", first) else word)
            else:
                raise unknown("task or group", word, [*cards, *groups])
        if not chosen:
            raise UsageError("no task was named")
        return list(dict.fromkeys(chosen))

    # Named objects.

    def names(self, kind: Kind) -> list[str]:
        """The names of a kind."""
        return sorted(self._table(kind))

    def find(self, kind: Kind, name: str) -> object:
        """The object of a name. Raises UsageError that names the nearest there are."""
        table = self._table(kind)
        if name not in table:
            raise unknown(str(kind), name, table)
        found = table[name]
        return _at(found) if isinstance(found, str) else found

    def dialect(self, name: str) -> AnyDialect:
        """A dialect, `benchmark` among them. Raises UsageError that names the nearest there are."""
        if name == BENCHMARK.name:
            return BENCHMARK
        if name not in self.dialect_names():
            raise unknown("dialect", name, self.dialect_names())
        return cast(Dialect, self.find(Kind.DIALECT, name))

    def dialect_names(self) -> list[str]:
        """Every dialect's name."""
        return sorted([BENCHMARK.name, *self.names(Kind.DIALECT)])

    def _table(self, kind: Kind) -> Mapping[str, object]:
        if kind not in self._tables:
            self._tables[kind] = self._collected(kind)
        return self._tables[kind]

    @cached_property
    def _task_cards(self) -> dict[str, TaskCard]:
        return {}

    @cached_property
    def _tables(self) -> dict[Kind, Mapping[str, object]]:
        return {}

    def _collected(self, kind: Kind) -> Mapping[str, object]:
        table: dict[str, object] = dict(cast(Mapping[str, object], _at(_BUILT_IN[kind])))
        brought: list[tuple[str, object]] = [
            (point.name, point.value) for point in entry_points(group=f"er_bench.{kind.plural}")
        ]
        for folder in self.include:
            if (folder / PLUGIN).is_file():
                told = getattr(_included_module(folder, "plugin"), kind.plural.upper(), {})
                if not isinstance(told, Mapping):
                    raise ConfigError(
                        f"{folder / PLUGIN}: {kind.plural.upper()} is no dictionary of objects by "
                        "name"
                    )
                brought += told.items()
        for name, found in brought:
            if name in table:
                raise ConfigError(f"two {kind.plural} are called {name!r}")
            table[name] = found
        return table


def unknown(kind: str, name: str, known: Iterable[str], more: str = "") -> UsageError:
    """The error about a name that is not there, with the nearest that are."""
    names = sorted(known)
    near = get_close_matches(name, names, 3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return UsageError(
        f"there is no {kind} {name!r:.200}; {hint}there are: {', '.join(names)}{more}"
    )


def _at(place: str) -> object:
    """What stands at `module:attribute`."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _entry_point_folders(group: str) -> list[Path]:
    folders = []
    for point in entry_points(group=group):
        spec = importlib.util.find_spec(point.value)
        if spec is None or not spec.submodule_search_locations:
            raise ConfigError(f"entry point {point.name!r} of {group} names no package")
        folders += [Path(p) for p in spec.submodule_search_locations]
    return folders


def _included_module(folder: Path, part: str) -> ModuleType:
    """A file of a folder from outside. Raises ConfigError when it does not import."""
    try:
        return importlib.import_module(f"{_included_package(folder)}.{part}")
    except ErBenchError:
        raise
    except Exception as error:  # the code is the user's: any fault of it is told in a line
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f.lineno for f in frames if resolved(f.filename).is_relative_to(resolved(folder))]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        place = f"{folder / f'{part}.py'}" + (f", line {line}" if line else "")
        why = f"{type(error).__name__}: {error}"
        raise ConfigError(f"{place} does not import: {' '.join(why.split())}") from error


def _included_package(folder: Path) -> str:
    """A folder from outside as a package, so that its files may import one another."""
    digest = hashlib.sha256(str(resolved(folder)).encode()).hexdigest()[:8]
    name = f"er_bench_included_{folder.name.replace('-', '_')}_{digest}"
    if name not in sys.modules:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        sys.modules[name] = importlib.util.module_from_spec(spec)
    return name
