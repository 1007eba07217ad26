"""The base of tasks that ask for the points of an expression, as Vlaser's two scripts do.

JSON lines with `image`, `width`, `height` and `conversations`; every human turn with
`<ref>..</ref>` is a sample. Source: Vlaser `eval/evaluate_point_paco.py` and
`evaluate_point_pixmo.py`, commit 40d7821.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from er_bench.core.answer import Answer, Points
from er_bench.core.dialect import AnyDialect, Benchmark
from er_bench.core.errors import DataError
from er_bench.core.geometry import Point, Size, Unit, from_px
from er_bench.core.message import user
from er_bench.core.prompt import Decoding, Expect, Prompt
from er_bench.core.sample import Image, Sample, Text
from er_bench.core.score import Score
from er_bench.core.task import Aggregate, Scored
from er_bench.data.media import image_size
from er_bench.data.rows import FileBlob, Row, find_files, inside, read_rows
from er_bench.reading.coordinates import after_thinking, bracket_pairs, loose_pairs
from er_bench.scorers.points import Hits
from er_bench.tasks.base.pointing import Read, ReadPointTask, image_of

PREFIX = (
    " You are InternVL. Your task is to locate several points in the given image according to the "
    'task descriptions. Your answer should be formatted as "<point>[[x1, y1], [x2, y2],...]'
    '</point>". The point coordinates are normalized to integers between 0 and 1000. Return the '
    "answer in the point format directly."
)
QUESTION = " Please provide the referring points of {}."
OWN_DIALECTS = ("benchmark", "internvl_1000")
DECODING = Decoding(max_new_tokens=100, temperature=0.0, num_beams=1)
MAX_TILES = 6

REF = re.compile(r"<ref>([^\n]*?)</ref>")


def conversation(
    expression: str, points_per_1000: Sequence[tuple[int, int]]
) -> list[dict[str, str]]:
    """A row's `conversations`: a human turn that asks, a gpt turn that answers."""
    shown = ", ".join(f"[{x}, {y}]" for x, y in points_per_1000)
    ref = f"<ref>{expression}</ref>"
    return [
        {"from": "human", "value": f"<image>\n{QUESTION.format(ref).strip()}"},
        {"from": "gpt", "value": f"{ref}<point>[{shown}]</point>"},
    ]


class ReferringTask(ReadPointTask):
    """One expression, any number of points; hits are pooled over the whole set."""

    patterns: tuple[str, ...]
    """Where the rows are, first match wins."""

    def rows(self) -> Iterator[Row]:
        """Every line of the released file."""
        for file in find_files(self.root, *self.patterns):
            yield from read_rows(file)

    def samples(self) -> Iterator[Sample]:
        """Every human turn with an expression."""
        for line, row in enumerate(self.rows()):
            for turn, said in enumerate(turns(row, "human")):
                if found := REF.search(said):
                    yield self._sample(row, f"{line}-{turn}", found[1])

    def _sample(self, row: Row, sample_id: str, expression: str) -> Sample:
        name = row.text("image")
        size = row.integer("width"), row.integer("height")
        if min(size) < 1:
            raise row.error(f"expected a size in pixels, found {size}", "width")
        paths = [inside(folder, name, row, "image") for folder in (self.root / "images", self.root)]
        path = next((p for p in paths if p.is_file()), paths[0])
        return Sample(
            id=sample_id,
            parts=(Image(FileBlob(path)), Text(expression)),
            target=self.target(row, name, expression),
            cluster=name,
            category=str(row.fields.get("kind", "all")),
            where=row.where,
            meta={"expression": expression, "size_wh": size, "image": name},
        )

    @abstractmethod
    def target(self, row: Row, image: str, expression: str) -> Any:
        """The truth about one expression. Raises DataError."""

    @abstractmethod
    def hits(self, sample: Sample, points_xy: list[Point]) -> Hits:
        """Points that hit, by the task's rule and in the task's frame."""

    def prompt(self, sample: Sample, dialect: AnyDialect) -> Prompt:
        """The scripts' words; another family's own words for the same request."""
        expression = sample.meta["expression"]
        question = QUESTION.format(expression)
        if isinstance(dialect, Benchmark) or dialect.name in OWN_DIALECTS:
            said = PREFIX + question
        else:
            said = dialect.point_prompt(question.strip(), expression)
        image = sample.parts[0]
        return Prompt((user(image, said),), Expect.POINTS, DECODING, max_tiles=MAX_TILES)

    def released_readers(self, sample: Sample) -> Mapping[str, Read]:
        """Pairs in square brackets anywhere in the answer."""
        return dict.fromkeys(OWN_DIALECTS, read_pairs)

    def own_tolerant(self, text: str) -> Answer:
        """Pairs in any brackets, thoughts left out."""
        return _answer(loose_pairs(after_thinking(text)))

    def own_text(self, points_px_xy: list[Point], sample: Sample) -> str:
        """Points as the prompt wants them."""
        grid = [from_px(p, Unit.PER_1000, self.size_wh(sample)) for p in points_px_xy]
        shown = ", ".join(f"[{round(x)}, {round(y)}]" for x, y in grid)
        return f"<point>[{shown}]</point>"

    def rate(self, sample: Sample, official: list[Point], robust: list[Point]) -> Score:
        """Hits of both readings."""
        one, other = self.hits(sample, official), self.hits(sample, robust)
        return Score(one.share, other.share, pooled(one, other))

    def aggregate(self, scored: Sequence[Scored], reading: str = "official") -> Aggregate:
        """Micro precision: all hits over all points, an answer without points as one miss."""
        kinds: dict[str, list[Score]] = {}
        for one in scored:
            if reading != "official" or one.score.official is not None:
                kinds.setdefault(one.category, []).append(one.score)
        everything = [score for scores in kinds.values() for score in scores]
        by_kind = {k: _precision(kinds[k], reading) for k in sorted(kinds)}
        return Aggregate(_precision(everything, reading), by_kind)

    def check(self, sample: Sample) -> None:
        """The image must have the row's size."""
        image = image_of(sample)
        found, told = image_size(image), self.size_wh(sample)
        if found != told:
            raise DataError(
                f"the row says {told[0]}x{told[1]}, the image is {found[0]}x{found[1]}",
                file=image.name,
                row=sample.where,
                field="width",
            )

    def size_wh(self, sample: Sample) -> Size:
        """The row's width and height."""
        size: Size = sample.meta["size_wh"]
        return size


def turns(row: Row, speaker: str) -> Iterator[str]:
    """What one side says in a row. Raises DataError."""
    for turn in row.items("conversations"):
        if not isinstance(turn, Mapping) or not isinstance(turn.get("value"), str):
            raise row.error("expected turns with `from` and a text `value`", "conversations")
        if turn.get("from") == speaker:
            yield turn["value"]


def read_pairs(text: str) -> Answer:
    """Every `[x, y]`, per 1000 (both scripts' PATTERN)."""
    return _answer(bracket_pairs(text))


def _answer(pairs: Sequence[tuple[float, ...]]) -> Answer:
    xy = tuple((float(x), float(y)) for x, y in pairs)
    if not all(abs(n) < 1e300 for pair in xy for n in pair):
        return Answer.unparsed("a number is not finite")
    return Answer(Points(xy, Unit.PER_1000)) if xy else Answer.unparsed()


def pooled(official: Hits, robust: Hits) -> dict[str, float]:
    """Hits and totals, for `aggregate`."""
    return {
        "hits": official.hits,
        "total": official.total,
        "robust_hits": robust.hits,
        "robust_total": robust.total,
    }


def _precision(scores: Sequence[Score], reading: str) -> float:
    prefix = "" if reading == "official" else "robust_"
    total = sum(score.parts[f"{prefix}total"] for score in scores)
    return sum(s.parts[f"{prefix}hits"] for s in scores) / total if total else float("nan")
