"""Bad records are found before training: an error, or counted and listed."""

import os

import numpy as np
import pytest

from er_bench.core.errors import DataError, StoreError
from er_bench.train.data.examples import Reader
from er_bench.train.data.mixture import read_mixture
from er_bench.train.data.records import read_meta
from er_bench.train.data.scan import scan

from .conftest import mixed_records, talk, write_images, write_meta


@pytest.fixture
def mix(tmp_path, reader):
    def make(records, *, skip_bad=False, workers=0, meta=None, **settings):
        write_images(tmp_path / "data", 12)
        file = write_meta(tmp_path / "data", records, **(meta or {}))
        return read_mixture(
            file,
            reader(**settings),
            workers=workers,
            cache=tmp_path / "cache",
            skip_bad=skip_bad,
        )

    return make


def broken_records():
    records = mixed_records(8)
    return [
        *records[:3],
        "{oops",
        {"image": "gone.png", "conversations": talk("a", "b")},
        {"image": "0.png", "conversations": talk("<image><image>", "b")},
        {"conversations": talk("a", "b " * 2000)},
        *records[3:],
    ]


def test_bad_records_are_all_named_by_line(mix):
    with pytest.raises(DataError) as caught:
        mix(broken_records(), sequence_length=500)
    told = str(caught.value)
    assert "4 bad records" in told
    for line, why in ((4, "not JSON"), (5, "gone.png"), (6, "2 times"), (7, "more than the 500")):
        assert any(f"row {line}" in part and why in part for part in told.splitlines())


def test_skipped_records_are_counted_and_never_replaced(mix):
    mixture = mix(broken_records(), skip_bad=True, sequence_length=500)
    (share,) = mixture.shares()
    assert (share.records, share.bad, share.samples) == (12, 4, 8)
    assert len(mixture.bad()) == 4
    assert mixture.entries[:, 1].tolist() == [0, 1, 2, 7, 8, 9, 10, 11]
    assert share.tokens == mixture.sizes[:, 0].sum()


def test_repeats_show_in_the_mixture(mix):
    mixture = mix(mixed_records(8), meta={"repeat_time": 3})
    (share,) = mixture.shares()
    assert (share.records, share.samples) == (8, 24)
    assert len(mixture.entries) == len(mixture.sizes) == 24


def test_only_the_records_of_a_pass_are_looked_at(mix):
    mixture = mix([*mixed_records(4), "{oops", "{oops"], meta={"repeat_time": 0.7})
    assert len(mixture.entries) == 4


def test_an_empty_mixture_is_refused(mix):
    with pytest.raises(DataError, match="no usable record"):
        mix(["{oops"], skip_bad=True)


def test_the_second_look_comes_from_the_cache(one_source, reader, tmp_path, monkeypatch):
    source = one_source(*mixed_records(4), "{oops")
    first = scan(source, reader(), workers=0, cache=tmp_path / "c", advance=lambda n: None)
    looked, measure, heard = [], Reader.measure, []

    def counted(self, source, index):
        looked.append(index)
        return measure(self, source, index)

    monkeypatch.setattr(Reader, "measure", counted)
    again = scan(source, reader(), workers=0, cache=tmp_path / "c", advance=heard.append)
    assert (again.sizes == first.sizes).all() and again.bad == first.bad and heard == [5]
    assert looked == [4]  # the bad one alone, which may have been mended
    scan(source, reader(max_tiles=3), workers=0, cache=tmp_path / "c", advance=heard.append)
    assert looked == [4, 0, 1, 2, 3, 4]  # other settings, another look


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>", None])
def test_a_damaged_cache_is_made_again(one_source, reader, tmp_path, content):
    source, cache = one_source(*mixed_records(4), "{oops"), tmp_path / "c"
    first = scan(source, reader(), workers=0, cache=cache, advance=lambda n: None)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-60] if content is None else content)
    again = scan(source, reader(), workers=0, cache=cache, advance=lambda n: None)
    assert (again.sizes == first.sizes).all() and again.bad == first.bad
    assert file.read_bytes() != content


def test_other_content_of_the_same_size_and_time_is_looked_at(one_source, reader, tmp_path):
    source, cache = one_source({"conversations": talk("a", "one")}), tmp_path / "c"
    first = scan(source, reader(), workers=0, cache=cache, advance=lambda n: None)
    stamp = source.annotation.stat()
    source.annotation.write_text(source.annotation.read_text().replace("human", "robot"))
    os.utime(source.annotation, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    (other,) = read_meta(source.annotation.parent / "meta.json")
    found = scan(other, reader(), workers=0, cache=cache, advance=lambda n: None)
    assert not first.bad and list(found.bad) == [0]


def test_a_cache_that_cannot_be_written_is_told(one_source, reader, tmp_path):
    (tmp_path / "c").write_text("a file")
    source = one_source({"conversations": talk("a", "b")})
    with pytest.raises(StoreError, match="cannot write"):
        scan(source, reader(), workers=0, cache=tmp_path / "c", advance=lambda n: None)


def test_a_record_is_mended_by_its_picture_alone(one_source, reader, tmp_path):
    late = {"image": "late.png", "conversations": talk("a", "b")}
    source, cache = one_source(*mixed_records(3), late), tmp_path / "c"
    first = scan(source, reader(), workers=0, cache=cache, advance=lambda n: None)
    assert list(first.bad) == [3] and "late.png" in first.bad[3]
    (source.root / "late.png").write_bytes((source.root / "0.png").read_bytes())
    mended = scan(source, reader(), workers=0, cache=cache, advance=lambda n: None)
    kept = scan(source, reader(), workers=0, cache=cache, advance=lambda n: None)
    for found in (mended, kept):
        assert not found.bad and found.sizes[3].all()
        assert (found.sizes[:3] == first.sizes[:3]).all()


def test_processes_find_the_same_as_one(one_source, reader, tmp_path, monkeypatch):
    monkeypatch.setattr("er_bench.train.data.scan.CHUNK", 5)
    source = one_source(*mixed_records(4), "{oops", *mixed_records(4))
    alone, shared = (
        scan(source, reader(), workers=w, cache=tmp_path / str(w), advance=lambda n: None)
        for w in (0, 2)
    )
    assert np.array_equal(alone.sizes, shared.sizes) and alone.bad == shared.bad
