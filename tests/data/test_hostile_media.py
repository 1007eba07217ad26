"""Damaged pictures and videos are seen, or refused in one line; nothing else comes of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from er_bench.core.errors import DataError
from er_bench.core.sample import Video
from er_bench.data.media import image, image_size, mask_values
from er_bench.data.media_look import look
from er_bench.data.rows import BytesBlob, FileBlob
from er_bench.data.video import decode_frames, video_header
from tests.data.hostile_media import damaged, whole_pictures, whole_videos


@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL", "ignore:.*:Warning:PIL")
def test_damaged_pictures(tmp_path: Path) -> None:
    path, ends = tmp_path / "a.jpg", set[str]()
    for content in damaged(whole_pictures(), 400, seed=1):
        path.write_bytes(content)
        blob = BytesBlob("row 1 image 1", content)
        fault = look(FileBlob(path), "picture").fault
        assert "\n" not in fault and (not content or fault == look(blob, "picture").fault)
        for read in (image, image_size, mask_values):
            try:
                read(blob)
            except DataError as error:
                ends.add(read.__name__)
                assert re.fullmatch(
                    r"not a readable (image|mask): .* \(file row 1 .*\)", str(error)
                )
    assert ends == {"image", "image_size", "mask_values"}


def test_damaged_videos(tmp_path: Path) -> None:
    path, refused = tmp_path / "damaged.mp4", 0
    for content in damaged(whole_videos(tmp_path), 150, seed=2):
        path.write_bytes(content)
        fault = look(path, "video").fault
        assert "\n" not in fault
        for read in (video_header, lambda path: decode_frames(Video(path), 3, "linspace")):
            try:
                read(path)
            except DataError as error:
                refused += 1
                assert "\n" not in str(error) and str(path) in str(error)
    assert refused > 50


@pytest.mark.parametrize("kind", ["picture", "video", "file"])
def test_what_is_found_is_not_kept(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    assert "git lfs pull" in look(path, kind).fault  # type: ignore[arg-type]
    source = whole_videos(tmp_path)[0] if kind == "video" else whole_pictures()[0]
    path.write_bytes(source)
    assert look(path, kind).fault == ""  # type: ignore[arg-type]
