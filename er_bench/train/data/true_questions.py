"""Questions about a frame whose answers the simulator knows: no model is needed.

They are made of the tracks `truth_place.WORDS` that `er-bench data make demonstrations` keeps
(`demonstrations.PLACE`). Asked is about what is seen only, and where an answer is clear: by the
margins below. The words are er-bench's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from er_bench.core.answer import Points
from er_bench.core.dialect import Dialect
from er_bench.core.geometry import Point, Unit, from_px
from er_bench.core.policy import TRUTH_PLACE
from er_bench.train.data.demonstrations import PLACE, place_words
from er_bench.train.data.robot_frames import Frame

APART_SHARE, HIGHER_M, NEARER = 0.06, 0.03, 0.75
"""How far apart two things must be: sideways, of the picture's width; in height; and how much
nearer one must be than the other, as a ratio."""
GRIPPER = "gripper"
STAGES = (("beginning", 0.0, 0.2), ("middle", 0.4, 0.6), ("end", 0.8, 1.0))
"""Shares of an episode's steps that are clearly one stage."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its answer, as text."""

    kind: str
    """`general`, `grounding` or `spatial`."""
    about: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Place:
    """A thing that is seen."""

    words: str
    at_m: tuple[float, float, float]
    """In the world: x, y, z."""
    at_px: Point


def places(frame: Frame) -> list[Place]:
    """What is seen in a frame, by words."""
    found = []
    for name, track in frame.episode.tracks.items():
        if not name.startswith(TRUTH_PLACE) or track.space.names != PLACE.names:
            continue
        x, y, z, x_px, y_px, seen, told = map(float, track.values_tk[frame.step])
        if seen and told:
            found.append(Place(place_words(name), (x, y, z), (x_px, y_px)))
    return sorted(found, key=lambda place: place.words)


def true_questions(frame: Frame, dialect: Dialect) -> Iterator[Asked]:
    """All that can be asked about a frame; points in a dialect."""
    seen = places(frame)
    if seen:
        yield from _general(frame, seen)
    for place in seen:
        question = dialect.point_prompt(f"Point to the {place.words}.", f"the {place.words}")
        yield Asked("grounding", place.words, question, _point(place.at_px, frame, dialect))
    for one, other in combinations(seen, 2):
        yield from _sideways(one, other, frame)
    by_words = {place.words: place for place in seen}
    if (gripper := by_words.pop(GRIPPER, None)) is not None:
        for place in by_words.values():
            yield from _from_gripper(gripper, place)
        for one, other in combinations(by_words.values(), 2):
            yield from _nearer(gripper, one, other)


def _general(frame: Frame, seen: Sequence[Place]) -> Iterator[Asked]:
    """What the episode is about, what is there, and how far it has come."""
    instruction = frame.episode.instruction
    if instruction:
        question = "What is the robot to do? Answer with its instruction."
        yield Asked("general", "instruction", question, instruction)
    question = "Which things are to be seen? Answer with their names, in alphabetical order."
    yield Asked("general", "things", question, ", ".join(place.words for place in seen))
    share = frame.step / max(len(frame.episode) - 1, 1)
    stage = next((word for word, low, high in STAGES if low <= share <= high), None)
    if stage is not None:
        question = "How far has the robot come: beginning, middle or end? Answer with one word."
        yield Asked("general", "stage", question, stage)


def _point(at_px: Point, frame: Frame, dialect: Dialect) -> str:
    x, y = from_px(at_px, dialect.unit, frame.size_wh, frame.size_wh)
    if dialect.unit is not Unit.FRACTION:
        x, y = float(round(x)), float(round(y))
    return dialect.write_points(Points(((x, y),), dialect.unit))


def _sideways(one: Place, other: Place, frame: Frame) -> Iterator[Asked]:
    apart_px = one.at_px[0] - other.at_px[0]
    if abs(apart_px) >= APART_SHARE * frame.size_wh[0]:
        side = "right" if apart_px > 0 else "left"
        question = (
            f"In the picture, is the {one.words} to the left or to the right of the "
            f"{other.words}? Answer with left or right."
        )
        yield Asked("spatial", f"{one.words}, {other.words}: side", question, side)


def _from_gripper(gripper: Place, place: Place) -> Iterator[Asked]:
    higher_m = gripper.at_m[2] - place.at_m[2]
    if abs(higher_m) >= HIGHER_M:
        question = (
            f"Is the gripper higher or lower than the {place.words}? Answer with higher or lower."
        )
        word = "higher" if higher_m > 0 else "lower"
        yield Asked("spatial", f"{place.words}: height", question, word)
    question = (
        f"How far is the gripper from the {place.words}, in centimetres? Answer with a whole "
        "number."
    )
    distance_cm = 100 * _distance_m(gripper, place)
    yield Asked("spatial", f"{place.words}: distance", question, str(round(distance_cm)))


def _nearer(gripper: Place, one: Place, other: Place) -> Iterator[Asked]:
    near, far = sorted((one, other), key=lambda place: _distance_m(gripper, place))
    if _distance_m(gripper, near) <= NEARER * _distance_m(gripper, far):
        question = (
            f"Which is nearer to the gripper, the {one.words} or the {other.words}? Answer with "
            "its name."
        )
        yield Asked("spatial", f"{one.words}, {other.words}: nearer", question, near.words)


def _distance_m(one: Place, other: Place) -> float:
    return float(np.linalg.norm(np.subtract(one.at_m, other.at_m)))
