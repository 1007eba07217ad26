"""ERQA: 400 multiple-choice questions on one or more robot images.

The rows hold the whole prompt; `visual_indices` says where in the text the images stand. The
official harness compares the whole answer with the letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

from er_bench.core.errors import DataError
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Blob, Image, Part, Sample, Text
from er_bench.core.score import Aggregate, Scored, Verdict, mean, mean_of_samples
from er_bench.core.task import Reading
from er_bench.data.rows import Row, find_files, image_blobs, read_rows
from er_bench.reading.letter import read_whole
from er_bench.reading.neighbour_letters import (
    read_exact,
    read_flageval_choice,
    read_lmms_choice,
    read_opening_letter,
    read_spatial_choice,
    without_think,
)
from er_bench.tasks.base.choice import Choice, ChoiceTask, LetterReader, gold_letter

LETTERS = "ABCD"
_LIGHT = ["question_id", "question", "question_type", "answer", "visual_indices", "images.path"]


class Erqa(ChoiceTask):
    """ERQA from the hub's parquet mirror or the authors' TFRecord; both give the same samples."""

    released = (read_whole, "the whole answer, full stops aside", "ERQA eval_harness.py")
    neighbours: ClassVar[Mapping[str, LetterReader]] = {
        "lmms_eval": (
            lambda text: read_lmms_choice(without_think(text)),
            "the best of nine forms, the last of its form",
            "EvolvingLMMs-Lab/lmms-eval 0.7.3 _task_utils/mcq_extract.py",
        ),
        "lmms_eval_0_7_2": (
            lambda text: read_opening_letter(without_think(text)),
            "the first letter of the text",
            "EvolvingLMMs-Lab/lmms-eval 0.7.2 tasks/erqa/utils.py",
        ),
        "vlmevalkit": (
            read_exact,
            "the whole answer, full stops not aside",
            "open-compass/VLMEvalKit vlmeval/dataset/erqa.py, commit e8e78f05",
        ),
        "easi": (
            read_spatial_choice,
            "a letter in an answer block, the last lines, a phrase",
            "open-compass/VLMEvalKit vlmeval/dataset/erqabench.py, commit e8e78f05",
        ),
        "flageval": (
            read_flageval_choice,
            "the first capital after the last key word",
            "flageval-baai/FlagEvalMM process_multiple_choice, commit fef27ec6",
        ),
    }

    @cached_property
    def readings(self) -> Mapping[str, Reading[Choice]]:
        """The released comparison and the best reader; with one image and with several."""
        return {name: by_images(reading) for name, reading in super().readings.items()}

    def samples(self) -> Iterator[Sample[Choice]]:
        """Every row in order; images come with their row, a few rows at a time."""
        files = find_files(self.root, "*.parquet", "*.tfrecord", "*.jsonl", "*.json")
        number = 0
        for file in files:
            for row in read_rows(file, None if self.with_media else _LIGHT):
                number += 1
                yield self.sample(_from_example(row, number) if _is_example(row) else row)

    def sample(self, row: Row) -> Sample[Choice]:
        """One row, in the mirror's columns."""
        sample_id, question = row.text("question_id"), row.text("question")
        images = image_blobs(row, "images", sample_id, self.root)
        return Sample(
            id=sample_id,
            parts=tuple(interleave(question, images, _offsets(row, len(images)))),
            target=Choice(gold_letter(row, "answer", LETTERS), listed_options(question)),
            cluster=sample_id,
            category=row.text("question_type"),
            where=row.where,
        )

    def prompt(self, sample: Sample[Choice]) -> Prompt:
        """The row as it is: its text ends with the request for one letter."""
        return Prompt((user(*sample.parts),), Expect.LETTER)


def by_images(reading: Reading[Choice]) -> Reading[Choice]:
    """A reading that keeps the number of images, and has accuracies by it as metrics."""

    def judge(sample: Sample[Choice], rollout: Rollout) -> Verdict:
        verdict = reading.judge(sample, rollout)
        return verdict.with_parts({"n_images": float(len(list(sample.images())))})

    return replace(reading, judge=judge, aggregate=single_and_multi)


def single_and_multi(scored: Sequence[Scored]) -> Aggregate:
    """Accuracy over all questions; by type; with one image and with several."""
    made = mean_of_samples(scored)
    single = [s.score or 0.0 for s in scored if s.parts["n_images"] == 1]
    multi = [s.score or 0.0 for s in scored if s.parts["n_images"] != 1]
    metrics = {"single_image": mean(single), "multi_image": mean(multi)}
    return Aggregate(made.score, made.categories, metrics)


def interleave(question: str, images: Sequence[Blob], offsets: Sequence[int]) -> Iterator[Part]:
    """Images set into the text at their character offsets, as the official harness sends them.

    Without offsets, or with all of them 0, the images stand before the text. An offset beyond the
    text puts the image where the walk has come to, before the rest of the text.
    """
    if not any(offsets):
        yield from (Image(blob) for blob in images)
        yield Text(question)
        return
    at = 0
    for offset, blob in sorted(zip(offsets, images, strict=True), key=lambda pair: pair[0]):
        if 0 < offset <= len(question):
            if text := question[at:offset]:
                yield Text(text)
            at = offset
        yield Image(blob)
    if rest := question[at:]:
        yield Text(rest)


def _offsets(row: Row, n_images: int) -> list[int]:
    told = row.fields.get("visual_indices") is not None
    offsets = list(row.items("visual_indices")) if told else []
    if not n_images:
        raise row.error("a question without images", "images")
    if any(isinstance(k, bool) or not isinstance(k, int) or k < 0 for k in offsets):
        raise row.error(f"expected character offsets, found {offsets!r:.60}", "visual_indices")
    if len(offsets) not in (0, n_images):
        raise row.error(f"{len(offsets)} offsets for {n_images} images", "visual_indices")
    return offsets


def listed_options(question: str) -> Mapping[str, str]:
    """The options listed in a question's text, `Choices: A. .. B. ..`; empty texts if not found."""
    listed = question.rpartition("Choices:")[2].partition("Please answer directly")[0]
    pieces = re.split(r"(?:^|(?<=\s))([A-D])\.\s", listed)
    letters = "".join(pieces[1::2])
    if len(letters) < 2 or not LETTERS.startswith(letters):
        return dict.fromkeys(LETTERS, "")
    return dict(zip(letters, (text.strip() for text in pieces[2::2]), strict=True))


def _is_example(row: Row) -> bool:
    return "image/encoded" in row.fields


def _from_example(row: Row, number: int) -> Row:
    """A row of the authors' TFRecord in the mirror's columns; the mirror numbers from 1."""

    def text(name: str, default: str | None = None) -> str:
        values = row.fields.get(name) or []
        if not values and default is not None:
            return default
        if len(values) != 1 or not isinstance(values[0], bytes):
            raise row.error("expected one text", name)
        try:
            return values[0].decode()
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error}", file=row.file, row=row.index) from error

    fields = {
        "question_id": f"ERQA_{number}",
        "question": text("question"),
        "question_type": text("question_type", "unlabelled"),
        "answer": text("answer"),
        "visual_indices": row.fields.get("visual_indices", []),
        "images": row.fields["image/encoded"],
    }
    return Row(fields, row.file, row.index)


TASK = Erqa
