"""Embodied-R1's words and form for points, which its benchmarks share.

Source: pickxiguapi/Embodied-R1 `eval/hf_inference_vabench_point.py`, commit 16c4534.
"""

from __future__ import annotations

from er_bench.core.answer import Answer, Points
from er_bench.core.geometry import Unit
from er_bench.reading.coordinates import loose_pairs, place_texts
from er_bench.reading.point_tag import tagged_points
from er_bench.tasks.base.located import Convention, no_boxes

THINKING = (
    "You FIRST think about the reasoning process as an internal monologue and then provide the "
    "final answer. The reasoning process and answer are enclosed within <think> </think> and "
    "<answer> </answer> tags. The answer consists only of several coordinate points, with the "
    "overall format being: <think> reasoning process here </think><answer><point>[[x1, y1], "
    "[x2, y2], ...]</point></answer>"
)
"""The words for a model that reasons; hub copies have them within the row."""
PLAIN = (
    "Use 2D points to mark the region mentioned in the task with format "
    "<point>[[x1, y1], [x2, y2], ...]</point>."
)
"""The words for a model that does not."""


def without_words(problem: str) -> str:
    """A row's problem without the picture's mark and the request for a form."""
    for words in ("<image>", THINKING, PLAIN):
        problem = problem.replace(words, " ")
    return " ".join(problem.split())


def _asked(question: str, referring: str) -> str:
    del referring
    return f"{question}\n{PLAIN}"


def _read(text: str) -> Answer:
    points = tagged_points(text)
    if points is None:
        return Answer.unparsed("an item of <point> is no pair of numbers")
    return Answer(Points(tuple(points), Unit.PIXEL)) if points else Answer.unparsed("no <point>")


def _read_tolerant(text: str) -> Answer:
    for said in place_texts(text):
        if pairs := loose_pairs(said):
            xy = tuple((float(x), float(y)) for x, y in pairs)
            if all(abs(n) < 1e300 for point in xy for n in point):
                return Answer(Points(xy, Unit.PIXEL))
    return Answer.unparsed()


def _write(points: Points) -> str:
    said = ", ".join(f"[{x:.3f}, {y:.3f}]" for x, y in points.xy)
    return f"<point>[{said}]</point>"


OWN = Convention(Unit.PIXEL, _asked, _read, _read_tolerant, _write, no_boxes)
"""Points in pixels of the original image."""
