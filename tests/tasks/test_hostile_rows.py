"""Rows with odd values, of every task: an error of the tree, never another exception."""

from __future__ import annotations

import random
from pathlib import Path

from er_bench.core.errors import DataError
from tests.tasks.hostile_rows import begin, cases


def test_odd_rows_are_data_errors_of_one_line(tmp_path: Path) -> None:
    rng, refused = random.Random(11), 0
    for case in cases(tmp_path):
        for number in range(24):
            case.spoil(rng)
            try:
                begin(case, with_media=number % 2 == 0)
            except DataError as error:
                refused += 1
                assert len(str(error)) < 2000
    assert refused > 100
