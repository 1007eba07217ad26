"""Damaged archives, parquet files, TFRecords and pickles: data errors, never another exception."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from er_bench.core.errors import DataError
from tests.data.hostile_files import READERS, makers


@pytest.mark.parametrize("kind", list(READERS))
def test_damaged_files_are_data_errors(kind: str, tmp_path: Path) -> None:
    rng, refused = random.Random(3), 0
    make = makers(tmp_path / "files")[kind]
    for _ in range(150):
        file = make(rng)
        try:
            READERS[kind](file)
        except DataError as error:
            refused += 1
            assert len(str(error)) < 2000
    assert refused > 40
