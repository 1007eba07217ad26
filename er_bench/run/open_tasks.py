"""The tasks of a run, opened on their rows and looked over before the first request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from os.path import isdir
from pathlib import Path

from er_bench.core.errors import DataError, UnavailableError, UsageError
from er_bench.core.model import Model
from er_bench.core.reference import AnyReference
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.task import AnyTask, QuestionTask
from er_bench.run import preflight
from er_bench.run.preflight import Inspection

Say = Callable[[str], None]
"""Takes one line about what is being done."""


def silent(line: str) -> None:
    """Say nothing."""
    del line


MAX_ROWS = 2**31
"""The highest `limit` on the rows of a task."""


@dataclass(frozen=True, slots=True)
class RowChoice:
    """Which tasks and rows are wanted."""

    tasks: Sequence[str]
    """Task names, each with its protocol after an `@` if it is not the first."""
    split: str = "official"
    data: Path | None = None
    limit: int | None = None
    allow_missing: bool = False
    accept_data: bool = False

    def __post_init__(self) -> None:
        """Raise UsageError for a limit that there cannot be."""
        n = self.limit
        if n is not None and not (type(n) is int and 1 <= n <= MAX_ROWS):
            raise UsageError(f"limit is a whole number from 1 to {MAX_ROWS}, not {n!r}")


@dataclass(frozen=True, slots=True)
class Opened:
    """One task, opened and looked over. `why_not` is set when it cannot run here."""

    task: AnyTask
    split: str
    found: Inspection
    accepted: list[str]
    revision: str | None = None
    """Commit of the hub data set that the rows came from."""
    reference: AnyReference | None = None
    why_not: str | None = None


def open_tasks(
    registry: Registry,
    choice: RowChoice,
    dialect: str,
    model: Model | None,
    say: Say = silent,
    *,
    with_media: bool | None = None,
) -> list[Opened]:
    """Open every task and look over its rows; `say` gets a line for each.

    Without a model, to judge what was answered before, no media are looked at, unless `with_media`
    says so: training shows them.

    Raises:
        DataError: rows cannot be read, differ from the card, or lack their media, and no flag
            lets that pass; the message covers every task.
    """
    opened, refusals = [], []
    shown = model is not None if with_media is None else with_media
    for word in choice.tasks:
        name, _, protocol = word.partition("@")
        spec = TaskSpec(name, Path(), protocol or None, dialect, with_media=shown)
        try:
            one = _open(registry, choice, spec, word, say, model)
        except UnavailableError as error:
            task = registry.open_task(replace(spec, root=registry.task_folders[name]))
            split = task.card.default_split
            opened.append(Opened(task, split, Inspection(), [], why_not=str(error)))
            say(f"{word}: unavailable: {error}")
            continue
        if one.accepted and not choice.accept_data:
            refusals.append(_mismatch_message(word, one.task.root, one.accepted))
        problems = preflight.refusal(word, one.found)
        if problems and not choice.allow_missing:
            refusals.append(problems + "\n  --allow-missing runs the rest; these are data_error")
        if problems and choice.allow_missing:
            say(problems)
        opened.append(one)
    if refusals:
        raise DataError("\n".join(refusals))
    return opened


def _open(
    registry: Registry, choice: RowChoice, spec: TaskSpec, word: str, say: Say, model: Model | None
) -> Opened:
    """One task on its rows. Raises UnavailableError."""
    if spec.with_media:
        here = registry.open_task(replace(spec, root=registry.task_folders[spec.name]))
        if why := here.unavailable():
            raise UnavailableError(why)
    root, split, revision = _root(registry, spec.name, choice)
    task = registry.open_task(replace(spec, root=root))
    reference = registry.reference(task)
    if model is not None and (why := _unable(model, task, reference)):
        raise UnavailableError(why)
    say(f"{word}: looking over the rows in {root}")
    for remark in task.remarks():
        say(f"{word}: {remark}")
    found = preflight.inspect(task, choice.limit)
    if model is not None:
        _check_prompt(task, found, model)
    differences = [] if split == "mini" else preflight.mismatch(task.dataset, found)
    label = _split_label(split, found, differences)
    return Opened(task, label, found, differences, revision, reference)


def _unable(model: Model, task: AnyTask, reference: AnyReference | None) -> str | None:
    """Why a model cannot be put to a task at all; None if it can."""
    if task.needs_policy:
        return None if model.acts else f"it needs a policy; {model.name} answers prompts"
    if not model.asks:
        return f"it asks questions; {model.name} is a policy, which acts"
    return model.unable(reference)


def _check_prompt(task: AnyTask, found: Inspection, model: Model) -> None:
    """See that the model can be asked the first question. Raises UsageError."""
    if isinstance(task, QuestionTask):
        unusable = found.missing.keys() | found.faults.keys()
        usable = (sample for sample in task.samples() if sample.id not in unusable)
        for sample in islice(usable, 1):
            model.check_prompt(task.prompt(sample))


def _split_label(split: str, found: Inspection, differences: Sequence[str]) -> str:
    """What results call the rows: only all of the published rows are `official`."""
    if differences:
        return "custom"
    return split if found.n_wanted == found.n_rows else f"{split}[:{found.n_wanted}]"


def _mismatch_message(task: str, root: Path, differences: Sequence[str]) -> str:
    lines = "\n  ".join(differences)
    return (
        f"{task}: the data in {root} are not the ones on the task's card:\n  {lines}\n"
        "  --accept-data runs them all the same and says so in the results"
    )


def _root(registry: Registry, name: str, choice: RowChoice) -> tuple[Path, str, str | None]:
    """The folder of a task's rows, the split it stands for, and its commit on the hub.

    Raises UnavailableError when the rows are not given and cannot be fetched.
    """
    card = registry.task_card(name)
    if choice.data is not None:
        names = {word.partition("@")[0] for word in choice.tasks}
        root = choice.data if len(names) == 1 else choice.data / name
        if not isdir(root):
            raise DataError(f"{name}: there is no data folder {root}")
        return root, "official", None
    if "mini" in (choice.split, card.default_split):
        return registry.mini_root(name), "mini", None
    if card.dataset.bundled:
        return registry.own_root(name), "official", None
    if card.dataset.id is None:
        raise UnavailableError(
            f"its rows are not on the hub: `er-bench data get {name}` says how to get them; then "
            "give them with --data DIR"
        )
    from er_bench.data.hub import snapshot

    root, revision = snapshot(card.dataset)
    return root, "official", revision
