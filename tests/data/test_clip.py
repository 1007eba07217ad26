"""Short clips are written as other programs play them."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import PIL.Image
import pytest

from er_bench.core.errors import MissingExtraError
from er_bench.core.sample import Video
from er_bench.data.clip import why_no_h264, write_clip
from er_bench.data.video import decode_frames

SHADES = [PIL.Image.new("RGB", (64, 48), (25 * k,) * 3) for k in range(1, 11)]


def codec(file: Path) -> tuple[str, str | None]:
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.name, stream.pix_fmt


def test_a_clip_holds_its_frames_in_order(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", SHADES, fps=10)
    frames = decode_frames(Video(tmp_path / "a.mp4"), 10, "linspace")
    for frame, shade in zip(frames, SHADES, strict=True):
        assert frame.size == shade.size
        assert abs(frame.getpixel((32, 24))[0] - shade.getpixel((32, 24))[0]) < 6
    assert codec(tmp_path / "a.mp4") == ("h264", "yuv420p") and why_no_h264() is None


def test_without_an_h264_encoder_it_is_mpeg4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    write_clip(tmp_path / "a.mp4", SHADES, fps=10)
    assert codec(tmp_path / "a.mp4")[0] == "mpeg4"
    assert "no H.264 encoder (libx264)" in (why_no_h264() or "")


def test_without_pyav_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"er-bench\[video\]"):
        write_clip(tmp_path / "a.mp4", SHADES, fps=10)
    assert "er-bench[video]" in (why_no_h264() or "")
