"""One look over a task's rows before the first request: counts, fingerprint, media, faults."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field

from er_bench.core.card import Dataset
from er_bench.core.errors import DataError
from er_bench.core.sample import Text
from er_bench.core.task import AnySample, AnyTask
from er_bench.data.run_folder import StoredMedium
from er_bench.run.media_identity import MediaLook, fingerprint, missing, relative_name

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
    wrong_media: Counter[str] = field(default_factory=Counter)
    """What is wrong with media that are there, in a word or two, and with how many files."""
    media: list[StoredMedium] = field(default_factory=list)
    """What the media of wanted samples hold; without their media, the masks alone."""
    media_fingerprint: str = ""
    chance: float | None = None
    """Expected score of a uniform guess, where every wanted sample is multiple choice."""


def inspect(task: AnyTask, limit: int | None) -> Inspection:
    """Read every row once, and look at the media of those that are wanted.

    A task without its media has no file looked at but the rows and the masks.

    Raises DataError for rows that cannot be read and for ids that occur twice.
    """
    found, prompts = Inspection(), hashlib.sha256()
    seen: dict[str, str] = {}
    media = MediaLook(task)
    digest_sum, guess_sum, all_letters = 0, 0.0, True
    for sample in media.ahead(task.samples(), limit, all_media=task.with_media):
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
        if not task.with_media:
            list(media.faults(sample, all_media=False))
        elif not _unusable(task, sample, found, media):
            prompts.update(task.prompt_sha256(sample).encode())
    found.fingerprint = f"{digest_sum % 2**256:064x}"
    found.media, found.media_fingerprint = media.found, fingerprint(media.found)
    found.wrong_media = media.wrong
    found.prompt_sha256 = prompts.hexdigest() if task.with_media else ""
    if found.n_wanted and all_letters:
        found.chance = guess_sum / found.n_wanted
    return found


def _digest(task: AnyTask, sample: AnySample) -> bytes:
    text = [part.text for part in sample.parts if isinstance(part, Text)]
    body = [sample.id, sample.category, text, task.truth_identity(sample)]
    return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).digest()


def _unusable(task: AnyTask, sample: AnySample, found: Inspection, media: MediaLook) -> bool:
    """Note what keeps a sample from running."""
    names = [relative_name(m, task.root) for m in task.media(sample) if missing(m)]
    wrong = [f"{name}: {fault}" for name, fault in media.faults(sample)]
    if names:
        found.missing[sample.id] = f"{sample.where}: missing {', '.join(names)}"
        return True
    if wrong:
        found.faults[sample.id] = f"{sample.where}: {'; '.join(wrong)}"
        return True
    try:
        task.check(sample)
    except DataError as error:
        found.faults[sample.id] = f"{sample.where}: {error}"
        return True
    return False


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
    if found.wrong_media:
        counts = ", ".join(f"{n} {what}" for what, n in found.wrong_media.most_common())
        lines.append(f"{task}: files that are not what they are named: {counts}")
    return "\n".join(lines)
