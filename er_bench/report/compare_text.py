"""A comparison as cells of a table, as Markdown and as CSV, with links to the samples in pages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from er_bench.report.board_text import markdown
from er_bench.report.compare import MOST_LISTED, Comparison, Difference, Link, TaskComparison
from er_bench.report.results import LOWER
from er_bench.report.sheet import Sheet, columns
from er_bench.report.spreadsheet import csv_line

HEADING = ("task", "A", "B", "B - A", "95% interval", "p", "won", "lost", "n")
COLUMNS = (
    "reading", "task", "category", "a", "b", "difference", "stderr", "ci95_low", "ci95_high",
    "test", "p", "p_holm", "won", "lost", "n", "lower_is_better",
)  # fmt: skip
UNPAIRED = "a reported score has no samples: compared unpaired, as if it had no error of its own"
P_VALUES = (
    "p: exact McNemar where each sample is right or wrong and stands alone, else by the clustered "
    "error; adjusted for the number of tasks (Holm)"
)


def cells(task: TaskComparison) -> list[str]:
    """A line of a table under `HEADING`, in percent."""
    found = task.difference
    return [
        f"{task.task} {LOWER}" if task.lower_is_better else task.task,
        *(f"{score * 100:.1f}" for score in task.scores),
        f"{found.value * 100:+.1f}",
        _interval(found),
        "-" if task.p_holm is None else f"{task.p_holm:.3g}",
        str(len(task.won)),
        str(len(task.lost)),
        str(found.n),
    ]


def sheet(made: Comparison) -> Sheet:
    """A line a task, in percent."""
    return Sheet("B - A (percent)", columns(*HEADING), [cells(task) for task in made.tasks])


def remarks(made: Comparison) -> list[str]:
    """What a reader of the table has to know."""
    found = [] if made.paired else [UNPAIRED]
    if any(task.lower_is_better for task in made.tasks):
        found.append(f"{LOWER} lower is better: won are the samples where B is lower")
    found.append(P_VALUES)
    for side, labels in zip("AB", made.not_shared, strict=True):
        if labels:
            found.append(f"in {side} alone: {', '.join(labels)}")
    for task in made.tasks:
        for side, ids in zip("AB", task.only, strict=True):
            if ids:
                found.append(f"{task.task}: {len(ids)} samples are scored in {side} alone")
    return found


def categories(made: Comparison) -> list[str]:
    """The difference of each category in a line, in percent."""
    found = []
    for task in made.tasks:
        for category, part in task.categories.items():
            interval = "" if part.ci95 is None else f" ({_interval(part)})"
            told = f"{part.value * 100:+.1f}{interval}, n {part.n}"
            found.append(f"{task.task}, {category}: {told}")
    return found


def to_markdown(made: Comparison, link: Link | None = None) -> str:
    """Two sides, what differs in how they were made, the table, categories, samples won and lost.

    `link` makes the samples links.
    """
    a, b = map(_escaped, made.names)
    settings = [
        f"- differs: {_escaped(name)}: {_escaped(str(was))} → {_escaped(str(now))}"
        for name, (was, now) in made.settings.items()
    ]
    parts = [
        f"A: {a}  \nB: {b}  \nReading: {_escaped(made.reading)}; B - A in percent.",
        "\n".join(settings),
        markdown([HEADING, *map(cells, made.tasks)], named=0).rstrip(),
        "\n".join(f"- {_escaped(remark)}" for remark in remarks(made)),
        "\n".join(f"- {_escaped(line)}" for line in categories(made)),
        "\n".join(_samples(made, link)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def to_csv(made: Comparison) -> str:
    """A line a task, and one for each of its categories; fractions, and `COLUMNS` first."""
    lines: list[Sequence[object]] = [COLUMNS]
    for task in made.tasks:
        tested = (task.test, task.p, task.p_holm, len(task.won), len(task.lost))
        lines.append(_row(made, task, "", task.scores, task.difference, tested))
        for category, found in task.categories.items():
            lines.append(_row(made, task, category, (None, None), found, (None,) * 5))
    return "".join(map(csv_line, lines))


def _row(
    made: Comparison,
    task: TaskComparison,
    category: str,
    scores: Sequence[float | None],
    found: Difference,
    tested: Sequence[object],
) -> Sequence[object]:
    low, high = found.ci95 or (None, None)
    numbers = [*scores, found.value, found.stderr, low, high]
    known = [None if x is None or math.isnan(x) else x for x in numbers]
    about = (made.reading, task.task, category)
    return (*about, *known, *tested, found.n, str(task.lower_is_better).lower())


def _interval(found: Difference) -> str:
    return "-" if found.ci95 is None else " .. ".join(f"{x * 100:+.1f}" for x in found.ci95)


def _samples(made: Comparison, link: Link | None) -> Iterator[str]:
    for task in made.tasks:
        for what, ids in (("won", task.won), ("lost", task.lost)):
            if ids:
                shown = [_linked(task.task, i, link) for i in ids[:MOST_LISTED]]
                rest = f" and {len(ids) - MOST_LISTED} more" if len(ids) > MOST_LISTED else ""
                yield f"- {_escaped(task.task)}, {what}: {', '.join(shown)}{rest}"


def _linked(task: str, sample_id: str, link: Link | None) -> str:
    name = _escaped(sample_id)
    return name if link is None else f"[{name}](<{link(task, sample_id)}>)"


def _escaped(text: str) -> str:
    """A text in one line in which nothing is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|~&#])", r"\\\1", " ".join(text.split()))
