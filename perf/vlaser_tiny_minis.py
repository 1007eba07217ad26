"""vlaser-tiny on every mini split, beside those who do not look: `perf/vlaser_tiny_minis.py`.

    python perf/vlaser_tiny_minis.py [--model vlaser-tiny] [--draws 10]

Prints a table of docs/vlaser-tiny.md: each task's headline in percent with its 95% interval. With
`--draws N` the rows are not the mini split's but those of N other seeds, which neither a mini split
nor training has; the interval is then Student's over the seeds. "apart": the model's interval
lies above that of both, or above the one that there is.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

import er_bench as api
from er_bench.core.errors import ErBenchError
from er_bench.core.registry import Registry
from er_bench.models.internvl.embedded.forms import draw_rows
from er_bench.report.results import TaskResult

SEED, STRIDE = 6_000_000, 100
FLOORS = ("reference/chance", "reference/blind")
NO_DRAWS = ("eb_alfred", "eb_habitat")
"""Their rows are not drawn: they are those of the package."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A headline in [0, 1], its 95% interval, and answers that could not be read."""

    score: float
    low: float
    high: float
    n: int
    unread: int

    def __str__(self) -> str:
        """In percent."""
        return f"{self.score * 100:.1f} ({self.low * 100:.0f}-{self.high * 100:.0f})"


def scored(parts: list[TaskResult]) -> Scored | None:
    """Of one result with its own interval, or of several draws; None where not measured."""
    scores = [part.score for part in parts if part.score is not None]
    if not scores:
        return None
    n, unread = sum(p.n_scored for p in parts), sum(p.n_unparsed for p in parts)
    middle = statistics.fmean(scores)
    if len(scores) == 1:
        low, high = parts[0].ci95 or (middle, middle)
        return Scored(middle, low, high, n, unread)
    half = float(stats.t.ppf(0.975, len(scores) - 1)) * statistics.stdev(scores)
    half /= len(scores) ** 0.5
    return Scored(middle, max(0.0, middle - half), min(1.0, middle + half), n, unread)


def measured(model: str, task: str, folders: list[Path], work: Path) -> Scored | None:
    """What a model reaches on a task's mini split, or on the rows of folders."""
    name = f"{model.replace('/', '-')}-{task}"
    rows = [{"data": f, "accept_data": True, "seed": k} for k, f in enumerate(folders)] or [
        {"split": "mini"}
    ]
    parts = []
    for number, told in enumerate(rows):
        try:
            run = api.evaluate(model, task, out=work / f"{name}-{number}", frames="none", **told)  # type: ignore[arg-type]
        except ErBenchError as error:
            print(f"{model} on {task}: {error}", file=sys.stderr)
            return None
        (result,) = run.results.tasks.values()
        parts.append(result)
    return scored(parts)


def line(task: str, models: list[str], folders: list[Path], work: Path) -> str:
    """One row of the table."""
    ours, *others = (measured(model, task, folders, work) for model in models)
    floors = [other for other in others if other is not None]
    if ours is None:
        return f"| {task} | not measured |" + " |" * (len(others) + 3)
    apart = all(ours.low > floor.high for floor in floors)
    cells = [str(one) if one else "-" for one in others]
    tail = [str(ours.n), str(ours.unread), "yes" if apart and floors else "no"]
    return f"| {' | '.join([task, str(ours), *cells, *tail])} |"


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vlaser-tiny")
    parser.add_argument("--draws", type=int, default=0)
    parser.add_argument("--tasks", default="embodied18,home_alfred")
    told = parser.parse_args()
    began = time.perf_counter()
    models = [told.model, *FLOORS]
    titles = ["task", *models, "n", "not read", "apart"]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for task in Registry().select(told.tasks):
        if told.draws and task in NO_DRAWS:
            continue
        with tempfile.TemporaryDirectory() as place:
            work, folders = Path(place), []
            for number in range(told.draws):
                folders.append(work / f"rows-{number}")
                folders[-1].mkdir()
                draw_rows(task, folders[-1], SEED + STRIDE * number)
            print(line(task, models, folders, work), flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
