"""VSI-Bench: 5,130 questions on 288 room videos, answered by a number or a letter.

Source: vision-x-nyu/thinking-in-space, commit 51e089c, `lmms_eval/tasks/vsibench/utils.py` (prompt
and scores, lines 30-160), `lmms_eval/api/task.py` (blanks, lines 1249-1251) and `vsibench.yaml`
(decoding).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean

from er_bench.core.answer import Answer
from er_bench.core.completion import Completion
from er_bench.core.errors import DataError
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.record import Shown, Truth
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Sample, Text, Video
from er_bench.core.score import Aggregate, Score, Scored, Verdict, category_means, mean
from er_bench.core.task import OFFICIAL, ROBUST, QuestionTask, Reading
from er_bench.data.rows import Row, find_files, inside, read_rows
from er_bench.data.text_files import read_text
from er_bench.reading import letter, number
from er_bench.reading.neighbour_letters import read_spatial_choice, without_think
from er_bench.reading.neighbour_numbers import read_lmms_number, read_spatial_number
from er_bench.scorers.number import mean_relative_accuracy
from er_bench.tasks.base.choice import (
    Choice,
    gold_letter,
    judge_choice,
    options_in,
    robust_letter,
    told_choice,
)
from er_bench.tasks.base.told import told_number

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


Reader = Callable[[str], Answer]
Judge = Callable[[Sample["Target"], Rollout], Verdict]


@dataclass(frozen=True, slots=True)
class Target:
    """The truth: a number or a choice; and whether the debiased set has the row."""

    truth: float | Choice
    debiased: bool | None
    """None where the rows do not tell."""


class VsiBench(QuestionTask[Target]):
    """VSI-Bench on the released rows and videos."""

    @cached_property
    def readings(self) -> Mapping[str, Reading[Target]]:
        """The released first word, the best readers, and those of other harnesses."""

        def by(letters: Reader, numbers: Reader) -> Judge:
            def judge(sample: Sample[Target], rollout: Rollout) -> Verdict:
                text, truth = rollout.completion.text, sample.target.truth
                if isinstance(truth, Choice):
                    return _kept(judge_choice(letters(text), truth), sample)
                return _kept(_judge_number(numbers(text), truth), sample)

            return judge

        def robust(sample: Sample[Target], rollout: Rollout) -> Verdict:
            text, truth = rollout.completion.text, sample.target.truth
            if isinstance(truth, Choice):
                return _kept(judge_choice(robust_letter(text, truth), truth), sample)
            return _kept(_judge_number(number.read_number(text), truth), sample)

        rule = "mean relative accuracy of a number; right or wrong for a letter"
        source = "vision-x-nyu/thinking-in-space vsibench/utils.py, commit 51e089c"
        stated = "the number or letter stated, however written"
        # Before any scorer, `lmms_eval/api/task.py` strips the answer: lines 1249-1251.
        official = by(
            lambda text: letter.read_first_word(text.strip()),
            lambda text: number.read_first_word(text.strip()),
        )
        lmms_eval = by(
            lambda text: letter.read_first_word(without_think(text)),
            lambda text: read_lmms_number(without_think(text)),
        )
        return {
            OFFICIAL: Reading("the first word", rule, source, official, mean_of_tasks),
            ROBUST: Reading(stated, rule, "er-bench", robust, mean_of_tasks),
            "item_mean": Reading(
                "the first word", f"{rule}; mean over items",
                "aggregate of flageval-baai/FlagEvalMM tasks/vsi_bench, commit fef27ec6", official,
            ),
            "lmms_eval": Reading(
                "the first word of a choice, the first number of a text", rule,
                "EvolvingLMMs-Lab/lmms-eval tasks/vsibench/utils.py, commit 75571cfe", lmms_eval,
                mean_of_tasks,
            ),
            "vlmevalkit": Reading(
                "a letter in an answer block, the last lines, a phrase; the last number", rule,
                "open-compass/VLMEvalKit spatial_bench, commit e8e78f05",
                by(read_spatial_choice, read_spatial_number), mean_of_tasks,
            ),
        }  # fmt: skip

    def samples(self) -> Iterator[Sample[Target]]:
        """Every row, by video and id, so that each video is decoded once."""
        files = find_files(self.root, *ROW_FILES)
        pruned = self._pruned_ids()
        samples = [self.sample(row, pruned) for file in files for row in read_rows(file)]
        if self.protocol == "debiased":
            if any(sample.target.debiased is None for sample in samples):
                raise DataError(
                    "rows do not say which are pruned: neither a `pruned` column nor "
                    "pruned_ids.txt is there",
                    file=self.root,
                )
            samples = [sample for sample in samples if sample.target.debiased]
        yield from sorted(samples, key=lambda s: (s.cluster, int(s.id)))

    def sample(self, row: Row, pruned: frozenset[str] | None) -> Sample[Target]:
        """One row."""
        row_id, category = str(row.integer("id")), row.text("question_type")
        if category not in NUMERIC + CHOICE:
            raise row.error(f"unknown question type {category!r}", "question_type")
        options = [] if category in NUMERIC else _options(row)
        marked = row.fields.get("pruned", None if pruned is None else row_id in pruned)
        return Sample(
            id=row_id,
            parts=(Video(self._video(row)), Text(self._text(row.text("question"), options))),
            target=Target(
                _number(row) if category in NUMERIC else _choice(row, options),
                None if marked is None else not marked,
            ),
            cluster=f"{row.text('dataset')}/{row.text('scene_name')}",
            category=category,
            where=row.where,
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
        return frozenset(read_text(file).split()) if file.is_file() else None

    def truth_in(self, told: Sample[Completion]) -> Target:
        """The answer's letter where the question lists options, else its number."""
        truth = told_choice(told) if options_in(told.text) else told_number(told)
        return Target(truth, None)

    def prompt(self, sample: Sample[Target]) -> Prompt:
        """Frames, then the question; 16 new tokens, greedy."""
        letters = isinstance(sample.target.truth, Choice)
        expects = Expect.LETTER if letters else Expect.NUMBER
        return Prompt((user(*sample.parts),), expects, DECODING)

    def shown(self, sample: Sample[Target]) -> Shown:
        """The question, its options, and the number or letter."""
        truth = sample.target.truth
        if isinstance(truth, Choice):
            return Shown(sample.text, truth.options, Truth(truth.letter))
        return Shown(sample.text, truth=Truth(f"{truth:g}"))

    def truth_identity(self, sample: Sample[Target]) -> object:
        """The number, or letter and options."""
        truth = sample.target.truth
        return [truth.letter, dict(truth.options)] if isinstance(truth, Choice) else truth


def _options(row: Row) -> list[str]:
    options = row.items("options")
    return [Row({"options": option}, row.file, row.index).text("options") for option in options]


def _number(row: Row) -> float:
    text = row.text("ground_truth")
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise row.error(f"expected a number, found {text!r}", "ground_truth")
    return found


def _choice(row: Row, options: Sequence[str]) -> Choice:
    by_letter = {}
    for option in options:
        key, dot, text = option.partition(".")
        if not dot or len(key) != 1:
            raise row.error(f"expected `A. text`, found {option!r}", "options")
        by_letter[key] = text.strip()
    return Choice(gold_letter(row, "ground_truth", "".join(by_letter)), by_letter)


def _judge_number(answer: Answer, truth: float) -> Verdict:
    if not isinstance(answer.value, float):
        return Verdict.of(answer, Score(0.0))
    score = mean_relative_accuracy(answer.value, truth)
    why = f"{answer.value:g} for {truth:g}: within {round(score * 10)} of 10 tolerances"
    return Verdict.of(answer, Score(score, why=why))


def _kept(verdict: Verdict, sample: Sample[Target]) -> Verdict:
    """The verdict, with the mark that the aggregate needs."""
    debiased = sample.target.debiased
    return verdict if debiased is None else verdict.with_parts({"debiased": float(debiased)})


def mean_of_tasks(scored: Sequence[Scored]) -> Aggregate:
    """The unweighted mean of the eight task scores; by task, over samples, and debiased."""
    whole = _by_task(scored)
    metrics = {"micro": mean([s.score or 0.0 for s in scored])}
    debiased = [s for s in scored if s.parts.get("debiased")]
    if debiased:
        metrics["debiased"] = _mean_of_tasks(_by_task(debiased))
        metrics["debiased_micro"] = mean([s.score or 0.0 for s in debiased])
    return Aggregate(_mean_of_tasks(whole), _with_directions(whole), metrics)


def _by_task(scored: Sequence[Scored]) -> dict[str, float]:
    """The mean of each question type, the three directions kept apart."""
    return category_means((s.category, s.score or 0.0) for s in scored)


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
