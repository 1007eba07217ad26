"""VSI-Bench: 5,130 questions on 288 room videos, answered by a number or a letter.

Source: vision-x-nyu/thinking-in-space, commit 51e089c, `lmms_eval/tasks/vsibench/utils.py` (prompt
and scores, lines 30-160) and `vsibench.yaml` (decoding).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from er_bench.core.answer import Answer, Value
from er_bench.core.card import Dataset
from er_bench.core.completion import Completion
from er_bench.core.dialect import AnyDialect
from er_bench.core.errors import DataError
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Sample, Text, Video
from er_bench.core.score import Score
from er_bench.core.task import (
    Aggregate,
    Judgement,
    QuestionTask,
    Scored,
    category_means,
    mean,
    value,
)
from er_bench.data.rows import Row, find_files, inside, read_rows
from er_bench.reading import letter, number
from er_bench.scorers.number import mean_relative_accuracy
from er_bench.tasks.base.choice import Choice, gold_letter, judge_choice

NUMERIC = (
    "object_counting",
    "object_abs_distance",
    "object_size_estimation",
    "room_size_estimation",
)
DIRECTIONS = tuple(f"object_rel_direction_{level}" for level in ("easy", "medium", "hard"))
CHOICE = (*DIRECTIONS, "object_rel_distance", "route_planning", "obj_appearance_order")

PRE = "These are frames of a video."
POST_CHOICE = "Answer with the option's letter from the given choices directly."
POST_NUMBER = "Please answer the question using a single word or phrase."
POST_NUMBER_API = "Do not response anything other than a single number!"
DECODING = Decoding(max_new_tokens=16, temperature=0.0, top_p=1.0, num_beams=1)

ROW_FILES = (
    "test-*.parquet",
    "test.jsonl",
    "test.parquet",
    "full/*.parquet",
    "*.json*",
    "*.parquet",
)
"""The first pattern that finds files counts; newer revisions have parquet files of parts only."""

DEBIASED_ROWS = {
    "object_counting": 251,
    "object_abs_distance": 434,
    "object_size_estimation": 353,
    "room_size_estimation": 200,
    "object_rel_distance": 310,
    "object_rel_direction_easy": 212,
    "object_rel_direction_medium": 54,
    "object_rel_direction_hard": 116,
    "route_planning": 114,
    "obj_appearance_order": 318,
}


@dataclass(frozen=True, slots=True)
class Number:
    """The truth of a numeric sample."""

    number: float


class VsiBench(QuestionTask):
    """VSI-Bench on the released rows and videos."""

    @property
    def dataset(self) -> Dataset:
        """All rows, or those of the debiased set."""
        found = self.card.dataset
        if self.protocol != "debiased":
            return found
        return found.model_copy(
            update={"rows": sum(DEBIASED_ROWS.values()), "categories": DEBIASED_ROWS}
        )

    def samples(self) -> Iterator[Sample]:
        """Every row, by video and id, so that each video is decoded once."""
        files = find_files(self.root, *ROW_FILES)
        pruned = self._pruned_ids()
        samples = [self.sample(row, pruned) for file in files for row in read_rows(file)]
        if self.protocol == "debiased":
            if any(sample.meta["debiased"] is None for sample in samples):
                raise DataError(
                    "rows do not say which are pruned: neither a `pruned` column nor "
                    "pruned_ids.txt is there",
                    file=self.root,
                )
            samples = [sample for sample in samples if sample.meta["debiased"]]
        yield from sorted(samples, key=lambda s: (s.cluster, int(s.id)))

    def sample(self, row: Row, pruned: frozenset[str] | None) -> Sample:
        """One row."""
        row_id, category = str(row.integer("id")), row.text("question_type")
        if category not in NUMERIC + CHOICE:
            raise row.error(f"unknown question type {category!r}", "question_type")
        options = [] if category in NUMERIC else [str(o) for o in row.items("options")]
        marked = row.fields.get("pruned", None if pruned is None else row_id in pruned)
        return Sample(
            id=row_id,
            parts=(Video(self._video(row)), Text(self._text(row.text("question"), options))),
            target=_number(row) if category in NUMERIC else _choice(row, options),
            cluster=f"{row.text('dataset')}/{row.text('scene_name')}",
            category=category,
            where=row.where,
            meta={"debiased": None if marked is None else not marked},
        )

    def _text(self, question: str, options: Sequence[str]) -> str:
        if options:
            return "\n".join([PRE, question, "Options:", *options, POST_CHOICE])
        return "\n".join([PRE, question, self._number_request()])

    def _number_request(self) -> str:
        return POST_NUMBER_API if self.protocol == "api_prompt" else POST_NUMBER

    def _video(self, row: Row) -> Path:
        """`<dataset>/<scene>.mp4`, also where an archive was unpacked into a folder of its name."""
        folder, scene = row.text("dataset"), f"{row.text('scene_name')}.mp4"
        released = inside(self.root, f"{folder}/{scene}", row, "scene_name")
        unpacked = inside(self.root, f"{folder}/{folder}/{scene}", row, "scene_name")
        return unpacked if not released.is_file() and unpacked.is_file() else released

    def _pruned_ids(self) -> frozenset[str] | None:
        file = self.root / "pruned_ids.txt"
        return frozenset(file.read_text(encoding="utf-8").split()) if file.is_file() else None

    def prompt(self, sample: Sample, dialect: AnyDialect) -> Prompt:
        """Frames, then the question; 16 new tokens, greedy."""
        expects = Expect.NUMBER if isinstance(sample.target, Number) else Expect.LETTER
        return Prompt((user(*sample.parts),), expects, DECODING)

    def judge(self, sample: Sample, completion: Completion, dialect: AnyDialect) -> Judgement:
        """Mean relative accuracy of a number; right or wrong for a letter."""
        text, target = completion.text, sample.target
        if isinstance(target, Number):
            judged = _judge_number(target.number, text)
        else:
            judged = judge_choice(target, letter.read_first_word(text), text)
        debiased = sample.meta["debiased"]
        parts = {} if debiased is None else {"debiased": float(debiased)}
        return replace(judged, score=replace(judged.score, parts=parts))

    def aggregate(self, scored: Sequence[Scored], reading: str = "official") -> Aggregate:
        """The unweighted mean of the eight task scores; by task, over samples, and debiased."""
        whole = _by_task(scored, reading)
        beside = {"micro": mean([value(s.score, reading) or 0.0 for s in scored])}
        debiased = [s for s in scored if s.score.parts.get("debiased")]
        if debiased:
            tasks = _by_task(debiased, reading)
            beside["debiased"] = _mean_of_tasks(tasks)
            beside["debiased_micro"] = mean([value(s.score, reading) or 0.0 for s in debiased])
        return Aggregate(_mean_of_tasks(whole), {**_with_directions(whole), **beside})

    def truth_identity(self, sample: Sample) -> object:
        """The number, or letter and options."""
        target = sample.target
        if isinstance(target, Number):
            return target.number
        return [target.letter, dict(target.options)]

    def ideal(self, sample: Sample) -> Value:
        """The number or the letter."""
        found: Value = (
            sample.target.number if isinstance(sample.target, Number) else sample.target.letter
        )
        return found

    def write(self, value: Value, sample: Sample, dialect: AnyDialect) -> str:
        """The bare number or letter."""
        return f"{value:.12g}" if isinstance(value, float) else str(value)

    def letters(self, sample: Sample) -> str:
        """The options' letters; none for a number."""
        return "" if isinstance(sample.target, Number) else "".join(sample.target.options)


def _number(row: Row) -> Number:
    text = row.text("ground_truth")
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise row.error(f"expected a number, found {text!r}", "ground_truth")
    return Number(found)


def _choice(row: Row, options: Sequence[str]) -> Choice:
    by_letter = {}
    for option in options:
        key, dot, text = option.partition(".")
        if not dot or len(key) != 1:
            raise row.error(f"expected `A. text`, found {option!r}", "options")
        by_letter[key] = text.strip()
    return Choice(gold_letter(row, "ground_truth", "".join(by_letter)), by_letter)


def _judge_number(truth: float, text: str) -> Judgement:
    official, robust = number.read_first_word(text), number.read_number(text)
    return Judgement(official, robust, Score(_relative(official, truth), _relative(robust, truth)))


def _relative(answer: Answer, truth: float) -> float:
    if not isinstance(answer.value, float):
        return 0.0
    return mean_relative_accuracy(answer.value, truth)


def _by_task(scored: Sequence[Scored], reading: str) -> dict[str, float]:
    """The mean of each question type, the three directions kept apart."""
    return category_means((s.category, value(s.score, reading) or 0.0) for s in scored)


def _mean_of_tasks(by_type: dict[str, float]) -> float:
    """Directions count as one task if all three are there; else each stands for itself.

    That is what the released code does without `easy`. With `easy` and without another it stops
    with a KeyError: a departure.
    """
    tasks = {t: v for t, v in by_type.items() if t not in DIRECTIONS}
    directions = {t: by_type[t] for t in DIRECTIONS if t in by_type}
    if len(directions) == len(DIRECTIONS):
        directions = {"object_rel_direction": fmean(directions.values())}
    return mean([*tasks.values(), *directions.values()])


def _with_directions(by_type: dict[str, float]) -> dict[str, float]:
    """Types, the merged direction score, and NaN for each direction type without samples."""
    found = [t for t in DIRECTIONS if t in by_type]
    if not found:
        return by_type
    missing = {t: math.nan for t in DIRECTIONS if t not in by_type}
    merged = math.nan if missing else fmean(by_type[t] for t in DIRECTIONS)
    return {**by_type, **missing, "object_rel_direction": merged}


TASK = VsiBench
