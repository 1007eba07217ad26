"""Odd training records are data errors of their line, odd meta files of their field."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from er_bench.core.errors import DataError
from er_bench.train.data.examples import Reader

from .hostile_records import begin, read, write


def test_odd_records_are_data_errors_of_one_line(
    tmp_path: Path, reader: Callable[..., Reader]
) -> None:
    rng, found = random.Random(2), reader()
    begin(tmp_path)
    refused = bad = 0
    for _ in range(250):
        try:
            faults = read(write(rng, tmp_path), found)
        except DataError as error:
            faults, refused = [str(error)], refused + 1
        bad += len(faults)
        assert all("\n" not in fault and len(fault) < 2000 for fault in faults)
    assert refused > 20 and bad > 200
