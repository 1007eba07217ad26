"""Answers of the form `<think>..</think><output>JSON</output>`, as VLA-R1 writes them.

Source: GigaAI-research/VLA-R1 `RFT_training/train_utils/robot_bbox_traj_norm.py`, commit 42f4e0e.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from er_bench.core.geometry import Point
from er_bench.reading.thoughts import without_thoughts

_OPEN = re.compile("<output>", re.IGNORECASE)
_CLOSE = re.compile("</output>", re.IGNORECASE)
_THINK = re.compile("<think>", re.IGNORECASE)
_THOUGHT = re.compile("</think>", re.IGNORECASE)
REGION_KEYS = ("x", "y", "width", "height")


@dataclass(frozen=True, slots=True)
class Region:
    """A box by its centre and its size, in fractions of the picture; any of them may be odd."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Output:
    """What an answer's output says: a region, a trace in fractions of the picture, or neither."""

    well_formed: bool = False
    """Whether there are thoughts, and an output that is JSON."""
    region: Region | None = None
    trace_xy: tuple[Point, ...] | None = None


def read_released(text: str) -> Output:
    """The first output, wherever it stands; numbers are whatever `float` takes."""
    block = _between(text, _OPEN, _CLOSE)
    found = _json(block) if block else None
    if found is None:
        return Output()
    well_formed = _between(text, _THINK, _THOUGHT) is not None
    return Output(well_formed, region_of(found), trace_of(found))


def read_once(text: str) -> Output:
    """The only output after the only thoughts, with nothing else around them; plain numbers.

    For rewards: what stands around an output, a second one, thoughts that never end or none, and
    numbers as text or NaN are not what was asked for.
    """
    said = without_thoughts(text).strip()
    opened, closed = _OPEN.findall(text), _CLOSE.findall(text)
    thoughts = (len(_THINK.findall(text)), len(_THOUGHT.findall(text)))
    if (len(opened), len(closed)) != (1, 1) or not _OPEN.match(said):
        return Output()
    found = _json(_between(said, _OPEN, _CLOSE) or "")
    if found is None or not _plain(found):
        return Output()
    whole = thoughts == (1, 1) and bool(_THINK.match(text.strip())) and said.endswith(">")
    return Output(whole and bool(_CLOSE.search(said[-9:])), region_of(found), trace_of(found))


def _between(text: str, first: re.Pattern[str], last: re.Pattern[str]) -> str | None:
    """What stands between the first of one mark and the first of another after it."""
    if (begin := first.search(text)) and (end := last.search(text, begin.end())):
        return text[begin.end() : end.start()]
    return None


def _json(text: str) -> object:
    try:
        found: object = json.loads(text.strip())
    except (ValueError, RecursionError):
        return None
    return found


def region_of(found: object) -> Region | None:
    """A JSON object with the four keys, whose values are whatever `float` takes."""
    if not isinstance(found, dict) or any(key not in found for key in REGION_KEYS):
        return None
    try:
        return Region(*(float(found[key]) for key in REGION_KEYS))
    except (ValueError, TypeError, OverflowError):
        return None


def trace_of(found: object) -> tuple[Point, ...] | None:
    """A JSON list of pairs, whose values are whatever `float` takes."""
    if not isinstance(found, list) or not all(isinstance(p, list) and len(p) == 2 for p in found):
        return None
    try:
        return tuple((float(x), float(y)) for x, y in found)
    except (ValueError, TypeError, OverflowError):
        return None


def _plain(found: object) -> bool:
    """Whether every value of a region or a trace is a finite number in [-1, 2]."""
    if isinstance(found, dict):
        values = [found[key] for key in REGION_KEYS if key in found]
    elif isinstance(found, list):
        values = [n for p in found if isinstance(p, list) for n in p]
    else:
        return False
    return all(
        isinstance(n, (int, float)) and not isinstance(n, bool) and -1 <= n <= 2 for n in values
    )
