"""Files and folders are written whole or not at all, and a refusal is one line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from er_bench.core.errors import StoreError, UsageError
from er_bench.data.files import safe_name, whole_folder, write_json, write_text


def fill_up(folder: Path) -> None:
    (folder / "half").write_text("x")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "half"))


def test_a_folder_that_cannot_be_filled_leaves_nothing_and_may_be_begun_again(
    tmp_path: Path,
) -> None:
    out = tmp_path / "deep" / "out"
    with (
        pytest.raises(StoreError, match=r"cannot write .*out: No space left on device; make room"),
        whole_folder(out) as folder,
    ):
        fill_up(folder)
    assert not list(out.parent.iterdir())
    with whole_folder(out) as folder:
        write_json(folder / "a.json", {"é": 1})
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert (out / "a.json").read_text() == '{\n  "é": 1\n}\n'
    assert out.stat().st_mode & 0o700 == 0o700 and out.stat().st_mode & 0o044
    with pytest.raises(UsageError, match="not empty"), whole_folder(out):
        pass


def test_a_folder_of_a_name_that_no_file_system_takes_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"cannot write .*too long"),
        whole_folder(tmp_path / ("x" * 300)),
    ):
        pass


def test_a_file_is_not_there_by_half(tmp_path: Path) -> None:
    (tmp_path / "is-a-folder").mkdir()
    (tmp_path / "is-a-folder" / "x").touch()
    with pytest.raises(StoreError, match=r"cannot write .*is-a-folder"):
        write_text(tmp_path / "is-a-folder", "text")
    with pytest.raises(StoreError, match="no/file"):
        write_text(tmp_path / "no" / "file", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["is-a-folder"]


def test_names_are_safe_and_differ() -> None:
    names = {safe_name(text) for text in ("a/b", "a_b", "../x", "é" * 300, "", ".")}
    assert len(names) == 6
    assert all("/" not in name and len(name) < 120 and name[0] != "." for name in names)


def test_a_device_or_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StoreError, match="cannot write"):
        write_text(pipe, "nobody reads")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "somebody reads")
        assert os.read(reader, 100) == b"somebody reads"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    write_text(Path(os.devnull), "gone")
    assert Path(os.devnull).is_char_device()
