"""BLINK: 14 subsets of multiple-choice questions that people answer at a glance.

Source: zeyofu/BLINK_Benchmark, commit 2d6a779, `eval/test_benchmark.py` (prompt, reader),
`query_model.py` (order of text and images, decoding) and `evaluate.py` (mean of subsets).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from er_bench.core.answer import Answer
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Image, Sample, Text
from er_bench.core.score import Aggregate, Scored, category_means, counted, mean, mean_of_samples
from er_bench.core.task import OFFICIAL, ROBUST, Reading
from er_bench.data.rows import Row, find_files, image_blobs, one_image, read_rows
from er_bench.reading.neighbour_letters import read_last_in_brackets, read_opening_letter
from er_bench.tasks.base.choice import (
    FLAGEVAL,
    Choice,
    ChoiceTask,
    choice_reading,
    gold_letter,
    letter_reading,
    robust_reading,
)
from er_bench.tasks.blink.reader import read_released

TASK_SUBSETS = ("Relative_Depth", "Spatial_Relation", "Counting")
SUBSETS = (
    *TASK_SUBSETS,
    "Art_Style",
    "Forensic_Detection",
    "Functional_Correspondence",
    "IQ_Test",
    "Jigsaw",
    "Multi-view_Reasoning",
    "Object_Localization",
    "Relative_Reflectance",
    "Semantic_Correspondence",
    "Visual_Correspondence",
    "Visual_Similarity",
)
DISCLAIMED = ("Forensic_Detection", "Jigsaw", "Art_Style")
DISCLAIMER = (
    "Disclaimer: This is not to make unfair assumptions about the people in the image and you "
    "just need to give your assessment on this question. You don't need to identify the real "
    "people. You just need to analyze based on the information I gave you.\n\n"
)
DECODING = Decoding(max_new_tokens=1024, temperature=0.0)
IMAGES = tuple(f"image_{k}" for k in range(1, 5))
LETTERS = "ABCDE"
_LIGHT = ["idx", "choices", "answer", "prompt", "images.path", *(f"{k}.path" for k in IMAGES)]


class Blink(ChoiceTask):
    """BLINK's validation rows; three subsets, or all of them (`all`)."""

    @cached_property
    def readings(self) -> Mapping[str, Reading[Choice]]:
        """The released reader and mean of subsets; the same by item; three kits'."""
        reader = "a bare letter, or the only one in brackets"
        source = "zeyofu/BLINK_Benchmark eval/test_benchmark.py and evaluate.py, commit 2d6a779"
        official = choice_reading(_official, reader, source, mean_of_subsets)
        lmms_eval = (
            read_opening_letter,
            "the first character, brackets aside",
            "lmms-eval tasks/blink/utils.py, commit 75571cf",
        )
        physbrain = (
            read_last_in_brackets,
            "the last letter in brackets",
            "PhysBrainEvalKit benchmark/blink.py, commit c95d9ee",
        )
        return {
            OFFICIAL: official,
            ROBUST: robust_reading(mean_of_subsets),
            "item_mean": replace(official, aggregate=mean_of_samples),
            "lmms_eval": letter_reading(lmms_eval, mean_of_subsets),
            "flageval": letter_reading(FLAGEVAL),
            "physbrain": letter_reading(physbrain),
        }

    def samples(self) -> Iterator[Sample[Choice]]:
        """The rows of the subsets in order; images come with their row, a few at a time."""
        wanted = SUBSETS if self.protocol == "all" else TASK_SUBSETS
        files = find_files(self.root, "*/val-*.parquet", "*.parquet", "*.jsonl", "*.json")
        for file in files:
            if file.parent.name in SUBSETS and file.parent.name not in wanted:
                continue
            for row in read_rows(file, None if self.with_media else _LIGHT):
                if subset_of(row) in wanted:
                    yield self.sample(row)

    def sample(self, row: Row) -> Sample[Choice]:
        """One row."""
        idx, subset = row.text("idx"), subset_of(row)
        images = self._images(row, idx)
        if not images:
            raise row.error("a question without images", IMAGES[0])
        asked = row.text("prompt")
        text = Text(DISCLAIMER + asked if subset in DISCLAIMED else asked)
        return Sample(
            id=idx,
            parts=(text, *images),
            target=_choice(row),
            cluster=idx,
            category=subset,
            where=row.where,
        )

    def _images(self, row: Row, idx: str) -> list[Image]:
        """Those of `image_1` to `image_4` that are there; of copies, the list `images`."""
        if "images" in row.fields:
            return [Image(blob) for blob in image_blobs(row, "images", idx, self.root)]
        there = [name for name in IMAGES if row.fields.get(name) is not None]
        return [Image(one_image(row, name, f"{idx} {name}", self.root)) for name in there]

    def prompt(self, sample: Sample[Choice]) -> Prompt:
        """The row's text, then its images; 1,024 new tokens, greedy."""
        return Prompt((user(*sample.parts),), Expect.LETTER, DECODING)


def subset_of(row: Row) -> str:
    """The subset by the id, `val_Relative_Depth_1`, as the released scorer tells it."""
    idx = row.text("idx")
    split, _, rest = idx.partition("_")
    subset = rest.rpartition("_")[0]
    if split == "test":
        raise row.error(f"{idx!r} is of the test split, whose answers are hidden; give val", "idx")
    if split != "val" or subset not in SUBSETS:
        raise row.error(f"expected `val_SUBSET_NUMBER`, found {idx!r:.60}", "idx")
    return subset


def _choice(row: Row) -> Choice:
    """The truth, `(B)` or `B`, and the options by letter."""
    texts = [Row({"choices": text}, row.file, row.index) for text in row.items("choices")]
    if not 2 <= len(texts) <= len(LETTERS):
        raise row.error(f"expected 2 to {len(LETTERS)} options, found {len(texts)}", "choices")
    options = dict(zip(LETTERS, (text.text("choices") for text in texts), strict=False))
    bare = Row({"answer": row.text("answer").strip(" ()")}, row.file, row.index)
    return Choice(gold_letter(bare, "answer", "".join(options)), options)


def _official(text: str, truth: Choice) -> Answer:
    return read_released(text, "".join(truth.options))


def mean_of_subsets(scored: Sequence[Scored]) -> Aggregate:
    """The unweighted mean of the subsets' accuracies; beside it that of items, and of two subsets.

    Subsets without samples are left out, where the released code divides by zero.
    """
    pairs = counted(scored)
    subsets = category_means(pairs)
    metrics = {"item_mean": mean([score for _, score in pairs])}
    two = [subsets[name] for name in TASK_SUBSETS[:2] if name in subsets]
    if len(two) == 2:
        metrics["depth_and_relation"] = mean(two)
    return Aggregate(mean(list(subsets.values())), subsets, metrics)


TASK = Blink
