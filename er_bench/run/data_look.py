"""Whether a folder holds a benchmark's rows: the look of a run, without a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from er_bench.core.errors import DataError
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.task import AnyTask
from er_bench.data.upstream import absent
from er_bench.run import preflight
from er_bench.run.media_identity import missing
from er_bench.run.preflight import Inspection


@dataclass(frozen=True, slots=True)
class DataLook:
    """What was found of a task's data in a folder."""

    root: Path
    found: Inspection | None = None
    """None where the rows cannot be read."""
    problems: list[str] = field(default_factory=list)
    """What a run would refuse, a line or more each; empty where it would start."""
    remarks: list[str] = field(default_factory=list)


def look_over(registry: Registry, name: str, root: Path, *, contents: bool) -> DataLook:
    """Read all rows of a task in a folder and compare them with its card.

    With `contents` every picture and video is looked at as before a run, else it is only seen
    whether there is a file. Nothing is fetched.
    """
    card = registry.task_card(name)
    if card.texts is not None and (lacking := absent(card.texts, root)):
        count = f"{len(lacking)} official texts" if len(lacking) > 1 else "an official text"
        return DataLook(root, problems=[f"{count} of {card.texts.repository} not here yet"])
    task = registry.open_task(TaskSpec(name, root, with_media=contents))
    try:
        found = preflight.inspect(task, None)
        problems = preflight.mismatch(task.dataset, found)
        if refused := preflight.refusal(name, found):
            problems.append(refused)
        if not contents and (n_lacking := _without_media(task)):
            problems.append(f"{n_lacking} of {found.n_rows} rows lack their media")
        if not found.n_rows:
            problems.append("there are no rows")
        return DataLook(root, found, problems, task.remarks())
    except DataError as error:
        return DataLook(root, problems=[str(error)])


def _without_media(task: AnyTask) -> int:
    """How many samples name a file that is not there."""
    return sum(any(map(missing, task.media(sample))) for sample in task.samples())
