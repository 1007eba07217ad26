"""Row files of all encodings and sizes, pictures however they are given, and names beside them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from er_bench.core.errors import DataError, UsageError
from er_bench.core.limits import DEPTH, ROW_BYTES, ROWS
from er_bench.data.rows import Row, find_files, image_blobs, inside, is_litter, read_rows
from tests.judging import open_task

ROW = {
    "question_id": "ERQA_1",
    "question": "Où? Choices: A. In. B. Out. Please answer directly with only the letter.",
    "question_type": "Other",
    "answer": "A",
    "visual_indices": [0],
    "images": ["a.png"],
}


def png() -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (8, 6), "red").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(png())
    return tmp_path


def row_text(suffix: str) -> str:
    one = json.dumps(ROW, ensure_ascii=False)
    return f"[{one}]" if suffix == "json" else f"{one}\n"


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_a_byte_order_mark_is_read_over(root: Path, suffix: str) -> None:
    (root / f"rows.{suffix}").write_bytes(row_text(suffix).encode("utf-8-sig"))
    (sample,) = open_task("erqa", root).samples()
    assert (sample.id, sample.text[:3]) == ("ERQA_1", "Où?")


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
@pytest.mark.parametrize(
    ("encoding", "seems"), [("latin-1", "Latin-1"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16")]
)
def test_another_encoding_is_refused_with_line_and_what_it_seems(
    root: Path, suffix: str, encoding: str, seems: str
) -> None:
    file = root / f"rows.{suffix}"
    file.write_bytes(row_text(suffix).encode(encoding))
    with pytest.raises(DataError, match=rf"line 1 .*seems to be {seems}, save it as UTF-8") as told:
        list(open_task("erqa", root).samples())
    assert str(file) in str(told.value)


def write_table(root: Path, images: Any) -> None:
    table = pa.Table.from_pylist([{**ROW, "images": images}])
    pq.write_table(table, root / "test.parquet")


@pytest.mark.parametrize(
    "images", [[{"bytes": None, "path": "a.png"}], ["a.png"], "a.png", {"path": "a.png"}, [png()]]
)
def test_a_picture_is_given_by_bytes_or_by_its_path(root: Path, images: object) -> None:
    write_table(root, images)
    (sample,) = open_task("erqa", root).samples()
    assert [image.blob.read() for image in sample.images()] == [png()]


def test_bytes_win_over_a_path(root: Path) -> None:
    write_table(root, [{"bytes": png(), "path": "other.png"}])
    (sample,) = open_task("erqa", root).samples()
    assert [image.blob.read() for image in sample.images()] == [png()]


@pytest.mark.parametrize(
    ("images", "problem"),
    [
        ([{"bytes": None, "path": None}], "the row has no picture"),
        ([{"bytes": None, "path": "../a.png"}], "leaves the data folder"),
        (["iVBORw0KGgo" * 60], "a picture in base64 belongs into a file"),
        (["a" * 300], "300 characters"),
    ],
)
def test_no_picture_is_an_error_of_its_row(root: Path, images: object, problem: str) -> None:
    write_table(root, images)
    with pytest.raises(DataError, match=problem) as told:
        list(open_task("erqa", root).samples())
    assert (told.value.row, told.value.field) == (0, "images")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("image", "'image'"), ("Images", "'Images'"), ("image_path", "'image_path'"),
        ("imges", "'imges'"), ("pictures", "the row has question_id"),
    ],
)  # fmt: skip
def test_a_misnamed_field_is_told_with_its_right_name(root: Path, name: str, near: str) -> None:
    row = {**ROW, name: ROW["images"]}
    del row["images"]
    (root / "rows.json").write_text(json.dumps([row]))
    with pytest.raises(DataError, match=near) as told:
        list(open_task("erqa", root).samples())
    assert told.value.field == "images"


def test_what_a_system_leaves_beside_the_files_is_passed_over(root: Path) -> None:
    (root / "rows.jsonl").write_text(row_text("jsonl"))
    for litter in ("._rows.jsonl", ".rows.jsonl.swp"):
        (root / litter).write_bytes(b"\0\5\x16\7")
    assert find_files(root, "*.jsonl") == [root / "rows.jsonl"]
    assert is_litter("__MACOSX/a.png") and is_litter("a/.DS_Store") and is_litter("a\\._b.png")
    assert not is_litter("./a/../b.c.png")


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800.png", "/etc/passwd", "a/../../b"])
def test_what_is_no_path_inside_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match=r"no path|leaves"):
        inside(tmp_path, path, Row({}, tmp_path / "rows.json", 3), "image")


def test_odd_values_are_of_their_row(tmp_path: Path) -> None:
    row = Row({"a": "\ud83d", "n": 10**400, "m": 2**63, "f": float("nan")}, tmp_path, 4)
    for read, field in ((row.text, "a"), (row.number, "n"), (row.integer, "m"), (row.number, "f")):
        with pytest.raises(DataError) as told:
            read(field)
        assert (told.value.row, told.value.field) == (4, field)
        assert len(str(told.value)) < 700
    with pytest.raises(DataError, match="expected an encoded image, found int 3"):
        image_blobs(Row({"image": 3}, tmp_path, 0), "image", "x", tmp_path)


def test_every_size_has_a_limit_that_a_setting_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{"a": "' + "x" * 90 + '"}\n{"a": [[[1]]]}\n')
    assert len(list(read_rows(file))) == 3
    for limit, most, place in ((ROW_BYTES, "50", 1), (ROWS, "2", None), (DEPTH, "3", 2)):
        monkeypatch.setenv(limit.variable, most)
        with pytest.raises(DataError, match=limit.variable) as told:
            list(read_rows(file))
        assert told.value.row == place
        monkeypatch.delenv(limit.variable)
    monkeypatch.setenv(ROWS.variable, "many")
    with pytest.raises(UsageError, match=ROWS.variable):
        list(read_rows(file))


@pytest.mark.parametrize("suffix", ["json", "jsonl", "parquet", "tfrecord"])
def test_a_pointer_in_place_of_rows_says_what_to_do(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rows.{suffix}"
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(DataError, match="git lfs pull"):
        list(read_rows(file))


def test_a_parquet_file_that_grows_out_of_proportion_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(
        pa.table({"a": ["x" * 2**20] * 400}), file, compression="zstd", use_dictionary=False
    )
    assert file.stat().st_size < 2**20
    with pytest.raises(DataError, match="ER_BENCH_MAX_UNPACKED_BYTES"):
        list(read_rows(file))
