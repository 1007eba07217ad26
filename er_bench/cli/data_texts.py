"""What `er-bench data` says: of a card, of what was found, of the steps that are left."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from er_bench.core.card import TaskCard
from er_bench.core.paths import resolved
from er_bench.core.registry import Kind, Registry
from er_bench.run.machine import task_blockers

if TYPE_CHECKING:
    from er_bench.run.data_look import DataLook
    from er_bench.sim.simulators import Known


def state(card: TaskCard, look: DataLook | None) -> str:
    """In a word or two whether a run could start on the data."""
    if card.has_own_rows:
        return "part of er-bench"
    if look is None:
        return "not here"
    return "not complete" if look.problems else "complete"


def facts(card: TaskCard, look: DataLook | None) -> Iterator[tuple[str, str]]:
    """What is here and what is known of a task's data: what it is about, and the fact."""
    data = card.dataset
    if look is not None:
        yield "in", str(look.root)
        for problem in look.problems:
            yield "problem", problem
    elif data.id is not None and (kept := _kept(card)):
        yield "kept", f"{size(kept)} of an earlier download that is not complete"
    yield "rows", _rows(card, look)
    yield "check", f"fingerprint {_fingerprint(card, look)}"
    if look is not None:
        yield "size", size(bytes_in(look.root))
    if data.id is not None:
        yield "to fetch", size(data.size_bytes)
        yield "gated", {True: "yes", False: "no", None: "not known"}[data.gated]
    yield "licence", data.licence
    yield "link", data.page or "none"
    for blocker in task_blockers(card):
        yield "run", blocker
    if not card.has_own_rows and (look is None or look.problems):
        to = " --to DIR" if data.getting else ""
        by_hand = f" ({len(data.getting)} steps by hand)" if data.getting else ""
        yield "get", f"er-bench data get {card.name}{to}{by_hand}"


def fetching(card: TaskCard, to: Path | None) -> Iterator[str]:
    """What is about to be fetched, from where and to where."""
    data = card.dataset
    if data.id is not None:
        files = ", ".join(data.files) or "all files"
        where = to if to is not None else "the hub's cache"
        yield (
            f"fetching {data.id} at {data.revision or 'its newest revision'} ({files}; "
            f"size {size(data.size_bytes)}) into {where}"
        )
        yield f"licence: {data.licence}"
    if card.texts is not None:
        n_texts = len(card.texts.sha256)
        yield f"fetching {n_texts} official texts of {card.texts.repository}, known by SHA-256"


def checked(card: TaskCard, look: DataLook | None) -> Iterator[str]:
    """What was found in the data, compared with the card."""
    if look is None:
        yield "nothing is here"
        return
    if look.found is not None:
        yield f"rows {_rows(card, look)}, in {look.root}; fingerprint {_fingerprint(card, look)}"
    yield from look.remarks
    yield from look.problems
    if not look.problems:
        yield f"complete: er-bench run --tasks {card.name}{_data_flag(card, look)}"
        yield from task_blockers(card)


def steps(card: TaskCard, to: Path | None) -> Iterator[str]:
    """The steps by hand, in order, with their commands; DIR is the folder where one was given."""
    data = card.dataset
    if not data.getting:
        return
    lines = [] if to is not None else ["Choose a folder, DIR in what follows."]
    if data.id is not None and to is None:
        lines.append(f"Fetch what the hub has.\n    er-bench data get {card.name} --to DIR")
    for step in data.getting:
        lines.append("\n    ".join([_in_folder(step.what, to), *_commands(step.commands, to)]))
    if card.simulator:
        known = cast("Known", Registry().find(Kind.SIMULATOR, card.simulator))
        lines.append(f"The simulator, if it is not here: {known.install}")
    where = _in_folder("DIR", to)
    lines.append(f"See that all is there.\n    er-bench data get {card.name} --to {where}")
    yield f"{card.name}: by hand ({data.page or 'no page'}; licence: {data.licence})"
    for number, line in enumerate(lines, 1):
        yield f" {number}. {line}"


def _commands(commands: list[str], to: Path | None) -> list[str]:
    return [_in_folder(command, to) for command in commands]


def _in_folder(text: str, to: Path | None) -> str:
    return text if to is None else re.sub(r"\bDIR\b", lambda _: shlex.quote(str(to)), text)


def _data_flag(card: TaskCard, look: DataLook) -> str:
    """`--data DIR` where a run does not find the folder by itself."""
    from er_bench.data.hub import cache_folder

    by_itself = card.has_own_rows or (
        card.dataset.id is not None and look.root.is_relative_to(cache_folder(card.dataset))
    )
    return "" if by_itself else f" --data {shlex.quote(str(look.root))}"


def _rows(card: TaskCard, look: DataLook | None) -> str:
    expected = "a number not known" if card.dataset.rows is None else str(card.dataset.rows)
    if look is None or look.found is None:
        return f"{expected} expected"
    return f"{look.found.n_rows} found, {expected} expected"


def _fingerprint(card: TaskCard, look: DataLook | None) -> str:
    known, found = card.dataset.fingerprint, look.found if look is not None else None
    if found is None:
        return known or "not known"
    if known is None:
        return f"{found.fingerprint}; none is known to compare it with"
    return "as expected" if known == found.fingerprint else f"{found.fingerprint}, not {known}"


def _kept(card: TaskCard) -> int:
    from er_bench.data.hub import cache_folder

    return bytes_in(cache_folder(card.dataset))


def bytes_in(folder: Path) -> int:
    """The bytes of all files under a folder, those behind links once."""
    files = {resolved(path) for path in folder.rglob("*") if path.is_file()}
    return sum(path.stat().st_size for path in files)


def size(n_bytes: int | None) -> str:
    """A number of bytes in words."""
    if n_bytes is None:
        return "not known"
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes} bytes"
