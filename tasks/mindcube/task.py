"""MindCube: questions about a scene that is seen from two to four places.

Source: mll-lab-nu/MindCube, commit 6d8fd9a: `src/prompt_generation/templates.py` (`raw_qa`),
`src/inference/engines/qwen_engine.py` (images first), `src/evaluation/evaluator.py` (rule).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Image, Sample, Text
from er_bench.core.score import Verdict
from er_bench.core.task import Reading
from er_bench.data.rows import Row, find_files, image_blobs, read_rows
from er_bench.tasks.base.choice import (
    Choice,
    ChoiceTask,
    LetterReader,
    gold_letter,
)
from er_bench.tasks.mindcube.reader import read_last_lone, read_released

INSTRUCTION = (
    "[Task]\n"
    "Your task is to analyze the spatial arrangement of objects in the scene by examining the "
    "provided images, which show the scene from different viewpoints.\n"
    "[Answer Instruction]\n"
    "You only need to provide *ONE* correct answer selecting from the options listed below. For "
    "example, if you think the correct answer is 'A. Above' from 'A. Above B. Under C. Front D. "
    "Behind', your response should **only** be '<answer>A. Above</answer>'.\n"
    "\n"
    "[Question]\n"
)
DECODING = Decoding(max_new_tokens=4096, temperature=0.0)
SETTINGS = ("around", "rotation", "translation", "among")
"""In the order in which the released scorer looks for them in an id."""
LEFT_OUT = "translation"
LETTERS = "ABCDE"
ROW_FILES = {
    "official": ("MindCube_tinybench.jsonl", "tiny/combined*.parquet"),
    "full": ("MindCube.jsonl", "full/combined*.parquet"),
}
_LIGHT = ["id", "question", "images.path", "gt_answer"]


class MindCube(ChoiceTask):
    """MindCube's small test set (Tiny), or all of it (`full`)."""

    released = (
        read_released,
        "the last letter before a full stop",
        "mll-lab-nu/MindCube src/evaluation/core/extractors.py, commit 6d8fd9a",
    )
    neighbours: ClassVar[Mapping[str, LetterReader]] = {
        "physbrain": (
            read_last_lone,
            "the last lone letter, of either case",
            "PhysBrainEvalKit benchmark/mindcube.py, commit c95d9ee",
        )
    }

    @cached_property
    def readings(self) -> Mapping[str, Reading[Choice]]:
        """The released reader, the best one, and PhysBrain's."""
        return {name: without_translation(made) for name, made in super().readings.items()}

    def samples(self) -> Iterator[Sample[Choice]]:
        """Every row in order; images come with their row, a few rows at a time."""
        lines, parts = ROW_FILES[self.protocol]
        patterns = (f"raw/{lines}", f"data/raw/{lines}", lines, parts, "*.parquet", "*.jsonl")
        for file in find_files(self.root, *patterns):
            for row in read_rows(file, None if self.with_media else _LIGHT):
                yield self.sample(row, image_root(file, self.root))

    def sample(self, row: Row, images_in: Path) -> Sample[Choice]:
        """One row, whose image paths start at a folder."""
        row_id, question = row.text("id"), row.text("question").replace("<image>", "").strip()
        images = image_blobs(row, "images", row_id, images_in)
        if not images:
            raise row.error("a question without images", "images")
        options = listed_options(question)
        return Sample(
            id=row_id,
            parts=(*(Image(blob) for blob in images), Text(INSTRUCTION + question)),
            target=Choice(gold_letter(row, "gt_answer", "".join(options)), options),
            cluster=scene_of(row_id),
            category=setting_of(row_id),
            where=row.where,
        )

    def prompt(self, sample: Sample[Choice]) -> Prompt:
        """All images in order, then the instruction and the question; 4,096 new tokens, greedy."""
        return Prompt((user(*sample.parts),), Expect.LETTER, DECODING)


def image_root(file: Path, root: Path) -> Path:
    """The folder inside `root` where image paths of a row file start: that of `other_all_image`."""
    in_raw = file.parent.name == "raw" and file.parent != root
    above = file.parent.parent if in_raw else file.parent
    inner = above / "data"
    return inner if (inner / "other_all_image").is_dir() else above


def setting_of(row_id: str) -> str:
    """The setting that an id names, as the released scorer tells it; `other` if none."""
    return next((name for name in SETTINGS if name in row_id.lower()), "other")


def scene_of(row_id: str) -> str:
    """The scene that an id names: `among_group693` of `among_group693_q1_5_2`."""
    return re.sub(r"_(?:q|gen_)\d.*$", "", row_id, flags=re.DOTALL)


def listed_options(question: str) -> Mapping[str, str]:
    """The options that end a question, `A. .. B. ..`; A to D with empty texts if not found."""
    pieces = re.split(r"(?:^|(?<=\s))([A-E])\.\s", question)
    letters = "".join(pieces[1::2])
    start = letters.rfind("A")
    if start < 0 or len(letters) - start < 2 or not LETTERS.startswith(letters[start:]):
        return dict.fromkeys("ABCD", "")
    texts = (text.strip() for text in pieces[2::2][start:])
    return dict(zip(letters[start:], texts, strict=True))


def without_translation(reading: Reading[Choice]) -> Reading[Choice]:
    """A reading that leaves questions of the setting translation out of the mean."""

    def judge(sample: Sample[Choice], rollout: Rollout) -> Verdict:
        verdict = reading.judge(sample, rollout)
        return replace(verdict, score=None) if sample.category == LEFT_OUT else verdict

    return replace(reading, judge=judge)


TASK = MindCube
