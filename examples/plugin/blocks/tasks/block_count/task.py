"""Block Count: the number of red blocks in a picture.

A sample's truth has a type of your own; here it is a whole number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from er_bench.core.answer import Answer
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.record import Shown, Truth
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Image, Sample, Text
from er_bench.core.score import Score, Verdict
from er_bench.core.task import OFFICIAL, ROBUST, QuestionTask, Reading
from er_bench.data.rows import FileBlob, find_files, inside, read_rows
from er_bench.reading.number import read_first_word, read_number


class BlockCount(QuestionTask[int]):
    """Pictures from `rows.jsonl`, a question each."""

    def samples(self) -> Iterator[Sample[int]]:
        """Every row; a wrong one is named by file, row and field."""
        for file in find_files(self.root, "rows.jsonl"):
            for row in read_rows(file):
                picture = FileBlob(inside(self.root, row.text("picture"), row, "picture"))
                yield Sample(
                    id=row.text("id"),
                    parts=(Image(picture), Text(row.text("question"))),
                    target=row.integer("red"),
                    cluster=row.text("picture"),
                    category="few" if row.integer("red") < 4 else "many",
                    where=row.where,
                )

    def prompt(self, sample: Sample[int]) -> Prompt:
        """The picture, then the question."""
        return Prompt((user(*sample.parts),), Expect.NUMBER, Decoding(max_new_tokens=8))

    def shown(self, sample: Sample[int]) -> Shown:
        """What people see of it in records and reports."""
        return Shown(sample.text, truth=Truth(str(sample.target)))

    @cached_property
    def readings(self) -> Mapping[str, Reading[int]]:
        """Two published ways of making a number; name more of them where they differ."""

        def first_word(sample: Sample[int], rollout: Rollout) -> Verdict:
            return compared(read_first_word(rollout.completion.text), sample.target)

        def stated(sample: Sample[int], rollout: Rollout) -> Verdict:
            return compared(read_number(rollout.completion.text), sample.target)

        rule = "right or wrong"
        return {
            OFFICIAL: Reading("the first word", rule, "this template", first_word),
            ROBUST: Reading("the number stated", rule, "er-bench", stated),
        }


def compared(answer: Answer, truth: int) -> Verdict:
    """An answer's verdict."""
    return Verdict.of(answer, Score(float(answer.value == truth)))


TASK = BlockCount
