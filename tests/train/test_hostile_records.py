"""No training record and no meta file ends in anything but its sizes or one line of the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from er_bench.core.errors import DataError
from er_bench.train.data.records import read_meta

from .conftest import write_images, write_meta, write_video
from .hostile_records import hostile_lines, hostile_metas, told_well

COUNT = 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_images(tmp_path, 2)
    write_video(tmp_path / "v.mp4", 10)
    return tmp_path


def test_a_hostile_record_has_sizes_or_is_told_in_a_line(folder, reader):
    meta = write_meta(folder, [], unread=["weight"])
    (folder / "toy.jsonl").write_bytes(b"\n".join(hostile_lines(COUNT, seed=0)))
    (source,), read = read_meta(meta), reader(sequence_length=600)
    accepted = 0
    for index in range(len(source.offsets)):
        try:
            cost = read.measure(source, index)
        except DataError as error:
            assert told_well(error, source.annotation, int(source.lines[index])), error
            continue
        accepted += 1
        assert len(read.example(source, index, 0).ids) == cost.tokens > 0
    assert COUNT / 20 < accepted < COUNT / 2


def test_a_hostile_meta_file_has_sources_or_is_told_in_a_line(folder):
    meta = write_meta(folder, [{"conversations": [], "weight": 1}] * 3)
    accepted = 0
    for content in hostile_metas(COUNT, seed=0):
        meta.write_bytes(content)
        try:
            for source in read_meta(meta):
                source.entries()
        except DataError as error:
            assert told_well(error, meta), error
        else:
            accepted += 1
    assert COUNT / 20 < accepted < COUNT / 2
