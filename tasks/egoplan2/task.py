"""EgoPlan-Bench2: 1,321 questions on what to do next, on Ego4D videos.

Source: qiulu66/EgoPlan-Bench2, commit 2523b38, `eval.py`: prompt, frames and reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.sample import Sample, Text, Video
from er_bench.data.rows import Row, find_files, inside, read_rows
from er_bench.reading.letter import read_first_capital
from er_bench.reading.neighbour_letters import read_lmms_egoplan2, without_think
from er_bench.tasks.base.choice import Choice, ChoiceTask, LetterReader, gold_letter

PROMPT = """
Select the best answer to the following multiple-choice question based on the video. \
Respond with only the letter (A, B, C, or D) of the correct option.

Considering the progress shown in the video and my current observation in the last frame, \
what action should I take next in order to {}?

A. {}
B. {}
C. {}
D. {}
"""
LETTERS = "ABCD"
N_FRAMES, FPS = 8, 30.0
CLIP_FOLDERS = ("clip_dir", "visual/clip_dir", "clips")
VIDEO_FOLDERS = ("Ego4D/v1_288p", "v1_288p", "videos")


class EgoPlan2(ChoiceTask):
    """EgoPlan-Bench2 on whole Ego4D videos, or on clips cut out of them beforehand."""

    released = (
        read_first_capital,
        "the first capital A-D after a list of phrases is deleted",
        "qiulu66/EgoPlan-Bench2 eval.py, commit 2523b38",
    )
    neighbours: ClassVar[Mapping[str, LetterReader]] = {
        "lmms_eval": (
            lambda text: read_lmms_egoplan2(without_think(text)),
            "the first capital A-D after fewer phrases are deleted",
            "EvolvingLMMs-Lab/lmms-eval tasks/egoplan2/utils.py, commit 75571cfe",
        ),
    }

    def samples(self) -> Iterator[Sample[Choice]]:
        """Every row in order."""
        files = find_files(self.root, "EgoPlan-Bench2.json", "*.json", "*.jsonl", "*.parquet")
        for file in files:
            for row in read_rows(file):
                yield self.sample(row)

    def sample(self, row: Row) -> Sample[Choice]:
        """One row."""
        options = {letter: row.text(f"choice_{letter.lower()}") for letter in LETTERS}
        question = PROMPT.format(row.text("task_goal"), *options.values())
        return Sample(
            id=row.text("sample_id"),
            parts=(self.video(row), Text(question)),
            target=Choice(gold_letter(row, "golden_choice_idx", LETTERS), options),
            cluster=_video_uid(row),
            category=row.text("domain").strip().capitalize(),
            where=row.where,
        )

    def video(self, row: Row) -> Video:
        """Eight frames of the span, first and last included; the last is the observation."""
        first, last = row.integer("task_start_frame"), row.integer("current_observation_frame")
        if not 0 <= first <= last:
            raise row.error(f"not a span of frames: {first} to {last}", "current_observation_frame")
        clip = self._find(CLIP_FOLDERS, row.text("sample_id"), row)
        if clip.is_file():
            return Video(clip, n_frames=N_FRAMES, sampling="linspace", label="image")
        whole = self._find(VIDEO_FOLDERS, _video_uid(row), row)
        return Video(whole, first, last, N_FRAMES, "linspace", "image", FPS)

    def _find(self, folders: tuple[str, ...], name: str, row: Row) -> Path:
        """The first of the places that is there, else the released one."""
        paths = [inside(self.root, f"{folder}/{name}.mp4", row, "sample_id") for folder in folders]
        return next((path for path in paths if path.is_file()), paths[0])

    def prompt(self, sample: Sample[Choice]) -> Prompt:
        """Frames, then the released template."""
        return Prompt((user(*sample.parts),), Expect.LETTER)


def _video_uid(row: Row) -> str:
    return row.text("sample_id").split("_")[0]


TASK = EgoPlan2
