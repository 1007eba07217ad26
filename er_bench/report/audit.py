"""Published numbers that cannot be, or that contradict each other, found by arithmetic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from er_bench.report.reported import Columns, Reported, same_model

FEWEST_EQUAL = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a source, or two, cannot both have meant."""

    kind: str
    """impossible share, total, copied column, equal rows, or several values."""
    place: str
    """Source, model and column."""
    told: str
    """The arithmetic."""


def audit(sources: Sequence[Reported], known: Columns) -> list[Finding]:
    """All findings, by kind."""
    found = [finding for source in sources for finding in _in_one(source, known)]
    found += list(_copied(sources))
    found += list(_several(sources))
    return found


def possible(text: str, n: int) -> bool:
    """Whether some k of n prints as this percentage."""
    half = 0.5 * 10 ** -len(text.partition(".")[2]) + 1e-9
    k = round(float(text) / 100 * n)
    return any(abs(100 * j / n - float(text)) <= half for j in (k - 1, k, k + 1))


def _in_one(source: Reported, known: Columns) -> Iterator[Finding]:
    for model in source.rows:
        cells = source.cells(model)
        for column, score in cells.items():
            n, text = known.counts.get(column), source.printed(score)
            if n and not possible(text, n):
                k = round(score / 100 * n)
                near = ", ".join(f"{j}/{n} = {100 * j / n:.2f}" for j in (k, k + 1))
                place = f"{source.name}: {model}, {column}"
                padded = " (unless its last 0 is padding)" if text.endswith("0") else ""
                yield Finding("impossible share", place, f"{text} is no k/{n}{padded}: {near}")
        for total, how in known.totals.items():
            weights = known.counts if how == "weighted" else None
            yield from _total(source, model, total, weights)
    for one, other in combinations(source.rows, 2):
        a, b = source.cells(one), source.cells(other)
        if len(a) >= FEWEST_EQUAL and a == b and len(set(a.values())) >= FEWEST_EQUAL:
            told = f"{len(a)} columns are identical"
            yield Finding("equal rows", f"{source.name}: {one}, {other}", told)


def _total(
    source: Reported, model: str, total: str, counts: Mapping[str, int] | None
) -> Iterator[Finding]:
    """A total that its parts do not make, by their counts or plainly."""
    cells = source.cells(model)
    parts = [c for c in source.columns if c.startswith(f"{total}.")]
    if not parts or total not in cells or any(part not in cells for part in parts):
        return
    weights = [1 if counts is None else counts[part] for part in parts]
    made = sum(w * cells[p] for w, p in zip(weights, parts, strict=True)) / sum(weights)
    digits = len(source.printed(cells[total]).partition(".")[2])
    if abs(made - cells[total]) > 1.01 * 10.0**-digits:
        how = "the plain mean" if counts is None else "weighted by their counts"
        listed = ", ".join(source.printed(cells[p]) for p in parts)
        told = f"{source.printed(cells[total])} is printed, its parts {listed} give {made:.2f}"
        yield Finding("total", f"{source.name}: {model}, {total}", f"{told} ({how})")


def _copied(sources: Sequence[Reported]) -> Iterator[Finding]:
    """The same numbers for the same models under another name of the column."""
    columns: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for source in sources:
        if source.decimals == 2:
            for model in source.rows:
                for column, score in source.cells(model).items():
                    columns[source.name, column][same_model(model)] = source.printed(score)
    for a, b in combinations(columns, 2):
        if a[0] == b[0] or a[1] == b[1]:
            continue
        equal = [m for m, text in columns[a].items() if columns[b].get(m) == text]
        if len(equal) >= FEWEST_EQUAL:
            listed = ", ".join(f"{m} {columns[a][m]}" for m in equal)
            place = f"{a[0]}, {a[1]} and {b[0]}, {b[1]}"
            yield Finding("copied column", place, f"{len(equal)} equal numbers: {listed}")


def _several(sources: Sequence[Reported]) -> Iterator[Finding]:
    """One model with values of one benchmark that rounding does not explain."""
    seen: dict[tuple[str, str], list[tuple[Reported, str, float]]] = defaultdict(list)
    for source in sources:
        for model in source.rows:
            for column, score in source.cells(model).items():
                if "." not in column:
                    seen[same_model(model), column].append((source, model, score))
    for (_, column), told in sorted(seen.items()):
        scores = [score for _, _, score in told]
        if max(scores) - min(scores) > 0.1:
            listed = ", ".join(
                f"{source.printed(score)} ({source.name})" for source, _, score in told
            )
            yield Finding("several values", f"{told[0][1]}, {column}", listed)
