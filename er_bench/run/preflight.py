"""One look over a task's rows before the first request: counts, fingerprint, media, faults."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from er_bench.core.card import Dataset
from er_bench.core.errors import DataError
from er_bench.core.sample import Text
from er_bench.core.task import AnySample, AnyTask

SHOWN = 5
"""How many names a message lists before it counts the rest."""


@dataclass(slots=True)
class Inspection:
    """What was found in a task's rows. `n_wanted` rows are to run, the first of `n_rows`."""

    n_rows: int = 0
    n_wanted: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    fingerprint: str = ""
    prompt_sha256: str = ""
    missing: dict[str, str] = field(default_factory=dict)
    """Wanted samples without their media: id to what is missing."""
    faults: dict[str, str] = field(default_factory=dict)
    """Wanted samples that cannot be used for another reason: id to why."""
    chance: float | None = None
    """Expected score of a uniform guess, where every wanted sample is multiple choice."""


def inspect(task: AnyTask, limit: int | None) -> Inspection:
    """Read every row once. A task without its media has no file looked at but the rows.

    Raises DataError for rows that cannot be read and for ids that occur twice.
    """
    found, prompts = Inspection(), hashlib.sha256()
    seen: dict[str, str] = {}
    digest_sum, guess_sum, all_letters = 0, 0.0, True
    for sample in task.samples():
        if (first := seen.setdefault(sample.id, sample.where)) != sample.where:
            raise DataError(
                f"two rows have the id {sample.id!r}: {first} and {sample.where}",
                file=task.root,
                field="id",
            )
        digest_sum += int.from_bytes(_digest(task, sample))
        found.n_rows += 1
        found.categories[sample.category] += 1
        if limit is not None and found.n_rows > limit:
            continue
        found.n_wanted += 1
        n_options = len(task.shown(sample).options)
        all_letters &= n_options > 0
        guess_sum += 1 / n_options if n_options else 0.0
        if task.with_media and not _unusable(task, sample, found):
            prompts.update(task.prompt_sha256(sample).encode())
    found.fingerprint = f"{digest_sum % 2**256:064x}"
    found.prompt_sha256 = prompts.hexdigest() if task.with_media else ""
    if found.n_wanted and all_letters:
        found.chance = guess_sum / found.n_wanted
    return found


def _digest(task: AnyTask, sample: AnySample) -> bytes:
    text = [part.text for part in sample.parts if isinstance(part, Text)]
    body = [sample.id, sample.category, text, task.truth_identity(sample)]
    return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).digest()


def _unusable(task: AnyTask, sample: AnySample, found: Inspection) -> bool:
    """Note what keeps a sample from running."""
    names = list(_missing(task, sample))
    if names:
        found.missing[sample.id] = f"{sample.where}: missing {', '.join(names)}"
        return True
    try:
        task.check(sample)
    except DataError as error:
        found.faults[sample.id] = f"{sample.where}: {error}"
        return True
    return False


def _missing(task: AnyTask, sample: AnySample) -> Iterator[str]:
    for medium in task.media(sample):
        if isinstance(medium, Path):
            if not medium.is_file():
                yield _relative(medium, task.root)
        elif medium.missing():
            yield _relative(Path(medium.name), task.root)


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def mismatch(expected: Dataset, found: Inspection) -> list[str]:
    """What differs between the rows found and the card, one line each; empty when nothing does."""
    lines = []
    if expected.rows is not None and expected.rows != found.n_rows:
        lines.append(f"rows: expected {expected.rows}, found {found.n_rows}")
    for name in sorted({*expected.categories, *found.categories} if expected.categories else ()):
        want, have = expected.categories.get(name, 0), found.categories.get(name, 0)
        if want != have:
            lines.append(f"category {name!r}: expected {want}, found {have}")
    if expected.fingerprint and expected.fingerprint != found.fingerprint:
        lines.append(f"fingerprint: expected {expected.fingerprint}, found {found.fingerprint}")
    return lines


def refusal(task: str, found: Inspection) -> str:
    """Why a task is not started: the rows that cannot be used, the first of them by name."""
    lines = []
    for problems, what in ((found.missing, "lack their media"), (found.faults, "cannot be used")):
        if problems:
            shown = list(problems.values())[:SHOWN]
            rest = len(problems) - len(shown)
            more = [f"... and {rest} more"] if rest else []
            head = f"{task}: {len(problems)} of {found.n_wanted} rows {what}:"
            lines.append("\n  ".join([head, *shown, *more]))
    return "\n".join(lines)
