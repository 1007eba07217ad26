"""What came out of an ablation: each start's scores, and its difference from the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from er_bench.core.errors import ConfigError, StoreError
from er_bench.core.record import RecordStatus
from er_bench.core.task import OFFICIAL
from er_bench.data.run_folder import read_records
from er_bench.report.reported import read_reported
from er_bench.report.results import FILE, read_results
from er_bench.report.sheet import Cell, Column, Sheet
from er_bench.report.statistics import Estimate, mean_estimate, paired_difference
from er_bench.train.ablation.recipe import Ablation, Arm, Beside, arms

Scores = Mapping[str, float]
"""An episode's score by its task and id."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One start over its seeds; scores are fractions in [0, 1]."""

    start: str
    by_seed: Mapping[int, float]
    """The mean of the arm's episodes."""
    score: Estimate
    """Of all episodes of all seeds; the same row with other seeds is one cluster."""
    gain: Estimate | None
    """Over the baseline, in pairs of the same seed and row; None of the baseline itself.

    A cluster is a seed, for what would be drawn anew is a training: with k seeds the interval is
    Student's with k - 1 degrees of freedom.
    """


def outcomes(ablation: Ablation) -> list[Outcome]:
    """Of every start that was played. Raises StoreError for damaged runs and for none."""
    found: dict[str, dict[int, Scores]] = {}
    for arm in arms(ablation):
        if (arm.run / FILE).is_file():
            found.setdefault(arm.start, {})[arm.seed] = _scores(arm)
    if not found:
        raise StoreError(f"{ablation.output} has no arm that was played to its end")
    base = found.get(ablation.compared_with, {})
    return [_outcome(start, found[start], base, ablation) for start in found]


def _scores(arm: Arm) -> Scores:
    results = read_results(arm.run)
    if short := [name for name, task in results.tasks.items() if task.status != "complete"]:
        raise StoreError(
            f"{arm.run}: {short[0]} is incomplete: {results.tasks[short[0]].why}; give the same "
            "command again"
        )
    return {
        f"{record.task}/{record.id}": score
        for record in read_records(arm.run)
        if record.status is RecordStatus.SCORED
        and (score := record.judgement[OFFICIAL].score) is not None
    }


def _outcome(
    start: str, seeds: Mapping[int, Scores], base: Mapping[int, Scores], ablation: Ablation
) -> Outcome:
    rows = [(id, score) for scores in seeds.values() for id, score in scores.items()]
    score = mean_estimate([score for _, score in rows], [id for id, _ in rows])
    gain = None
    if start != ablation.compared_with:
        pairs = [
            (scores[id], base[seed][id], seed)
            for seed, scores in seeds.items()
            for id in scores
            if id in base.get(seed, {})
        ]
        if pairs:
            ours, theirs, clusters = zip(*pairs, strict=True)
            gain = paired_difference(ours, theirs, clusters)
    by_seed = {seed: fmean(scores.values()) for seed, scores in seeds.items()}
    return Outcome(start, by_seed, score, gain)


def sheet(found: list[Outcome], ablation: Ablation, *, narrow: bool = False) -> Sheet:
    """A line a start, the published rows beside; `narrow` leaves out the arms, for a terminal."""
    beside = ablation.beside
    seeds = [] if narrow else ablation.seeds
    columns = [
        Column("start"),
        Column("score", "percent"),
        Column("95%", "interval", ("low", "high")),
        *(Column(f"seed {seed}", "percent") for seed in seeds),
        Column("gain", "percent"),
        Column("gain 95%", "interval", ("gain_low", "gain_high")),
    ]
    caption = f"gain: over {ablation.compared_with}, same seed and row, 95% over the seeds"
    published: Mapping[str, float] = {}
    if beside is not None:
        published = _published(beside)
        columns.append(Column("published", "percent"))
        columns += [] if narrow else [Column("published gain", "percent")]
        caption += f"; published: {beside.column} by {beside.source}"
    rows = []
    for one in found:
        gain = one.gain
        cells: list[Cell] = [one.start, one.score.value, one.score.ci95]
        cells += [one.by_seed.get(seed) for seed in seeds]
        cells += [None if gain is None else gain.value, None if gain is None else gain.ci95]
        if beside is not None:
            theirs, base = published.get(one.start), published.get(ablation.compared_with)
            cells.append(theirs)
            known = theirs is not None and base is not None and gain is not None
            cells += [] if narrow else [theirs - base if known else None]  # type: ignore[operator]
        rows.append(cells)
    return Sheet(
        f"Which start helps: {', '.join(ablation.evaluation.tasks)}", columns, rows, caption
    )


def _published(beside: Beside) -> Mapping[str, float]:
    """The published scores by start, as fractions. Raises UsageError, ConfigError."""
    source = read_reported(beside.source)
    found = {}
    for start, model in beside.rows.items():
        if model not in source.rows or beside.column not in source.cells(model):
            raise ConfigError(f"{beside.source} has no {beside.column} of {model!r:.60}")
        found[start] = source.cells(model)[beside.column] / 100
    return found
