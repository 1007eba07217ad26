"""Hostile texts through every reader: no exception, no score outside 0..1, linear time."""

import pytest

from er_bench.core.registry import Registry
from tests.reading.hostile_texts import (
    UNITS,
    hostile_texts,
    is_linear,
    judge,
    judged_samples,
    plain_readers,
)

READERS = plain_readers()


def test_no_reader_raises():
    for text in hostile_texts(150):
        for read in READERS.values():
            read(text)


def test_no_reading_of_any_task_raises():
    texts = hostile_texts(10_000, seed=1)
    for _, task, sample in judged_samples(Registry()):
        judge(task, sample, next(texts))


TIMED = (
    "final answer",
    "letter robust, options",
    "letter of a harness, boxed",
    "letter of mindcube",
    "words of sat, robust",
    "robospatial read_first_pair",
    "robospatial read_lmms_points",
    "yes or no robust",
    "number robust",
    "skills robust",
    "actions robust",
    "tuples robust",
    "pointarena robust",
    "qwen2_5_vl points robust",
    "gemini boxes robust",
)
"""One of each kind; `perf/endurance/readers.py` times all, on longer texts."""


@pytest.mark.parametrize("name", TIMED)
def test_time_is_linear(name):
    assert [unit for unit in UNITS if not is_linear(READERS[name], unit, 1_500)] == []
