"""Which frames of a file a video part is about, and how they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from er_bench.core.errors import DataError, UsageError
from er_bench.core.limits import FRAME_PIXELS, VIDEO_BYTES
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.sample import Video
from er_bench.data.video import (
    EBML,
    check_video,
    container_end,
    decode_frames,
    frames_at,
    span,
    video_header,
)
from tests.data.clips import SIZE_WH, STEP, cut_by_copy, grey, write_greys, write_sound

CLIP = Path("v.mp4")


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        (Video(CLIP), range(30)),
        (Video(CLIP, start_frame=5, stop_frame=9), range(5, 10)),
        (Video(CLIP, stop_frame=99), range(30)),
        (Video(CLIP, start_frame=2, stop_frame=4, fps=5.0), range(4, 9)),
        (Video(CLIP, clip_s=(0.5, 2.0)), range(5, 20)),
        (Video(CLIP, clip_s=(2.95, 9.0)), range(29, 30)),
    ],
)
def test_the_frames_that_a_video_is_about(video: Video, expected: range) -> None:
    assert span(video, 30, 10.0) == expected


def test_a_clip_behind_the_end_is_an_error() -> None:
    with pytest.raises(DataError, match=r"no frame of the video's 30 lies in the clip \(file v"):
        span(Video(CLIP, clip_s=(3.0, 9.0)), 30, 10.0)


def test_a_clip_is_another_prompt() -> None:
    def sha(video: Video) -> str:
        return Prompt((user(video),), Expect.TEXT).sha256()

    assert len({sha(Video(CLIP)), sha(Video(CLIP, clip_s=(0, 1))), sha(Video(CLIP, 0, 1))}) == 3


def test_a_clip_is_decoded(tmp_path: Path) -> None:
    import av

    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for k in range(30):
            grey = np.full((16, 32, 3), k * 8, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(stream.encode())
    assert video_header(path) == (30, 10.0, (32, 16))
    first, last = decode_frames(Video(path, clip_s=(1.0, 2.0)), 2, "linspace")
    for frame, number in ((first, 10), (last, 19)):
        assert abs(np.asarray(frame).mean() - number * 8) < 4


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mov"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_frames_that_an_edit_list_hides_are_no_frames(
    tmp_path: Path, name: str, b_frames: int
) -> None:
    import av

    whole = write_greys(tmp_path / "whole.mp4", 40, b_frames=b_frames)
    clip = cut_by_copy(whole, tmp_path / name, 17)
    with av.open(str(clip)) as container:
        assert container.streams.video[0].frames > 23  # what the header counts
    assert video_header(clip) == (23, 25.0, SIZE_WH)
    shown = decode_frames(Video(clip), 23, "linspace")
    assert [round((np.asarray(f).mean() - grey(0)) / STEP) for f in shown] == list(range(17, 40))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mpeg4"),
     ("a.mov", "mpeg4"), ("a.webm", "libvpx")],
)  # fmt: skip
def test_every_container_shows_each_frame_once(tmp_path: Path, name: str, codec: str) -> None:
    path = write_greys(tmp_path / name, 31, codec, b_frames=0 if codec == "libvpx" else 2)
    assert video_header(path)[0] == 31
    shown = frames_at(path, range(31))
    assert [round((np.asarray(f).mean() - grey(0)) / STEP) for f in shown] == list(range(31))


def test_a_video_may_have_a_colon_in_its_name_and_foreign_letters_in_its_title(
    tmp_path: Path,
) -> None:
    plain = write_greys(tmp_path / "a.avi", 5, "mpeg4")
    info = b"INFOINAM\x04\0\0\0caf\xe9"
    title = b"LIST" + len(info).to_bytes(4, "little") + info
    content = plain.read_bytes()
    content = content[:4] + (len(content) - 8 + len(title)).to_bytes(4, "little") + content[8:]
    path = tmp_path / "http:a.avi"
    path.write_bytes(content + title)
    check_video(path)
    assert video_header(path)[0] == 5


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_video_that_is_cut_off_is_an_error_whatever_is_wanted(tmp_path: Path, name: str) -> None:
    path = write_greys(tmp_path / name, 30, "mpeg4")
    if name == "a.mp4":
        faststart(path)
    path.write_bytes(path.read_bytes()[:-40])
    for read in (check_video, video_header, lambda path: frames_at(path, [0])):
        with pytest.raises(DataError, match=r"cut off: \d+ bytes of at least \d+; download"):
            read(path)


def faststart(path: Path) -> None:
    """Put the header of an MP4 before its frames."""
    import av

    other = path.with_name(f"old-{path.name}")
    path.rename(other)
    movflags = {"movflags": "faststart"}
    with av.open(str(other)) as source, av.open(str(path), "w", options=movflags) as out:
        copy = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without moving pictures: only audio"):
        check_video(write_sound(tmp_path / "a.mp4"))


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    write_greys(tmp_path / "secret.mp4", 3)
    path = tmp_path / "a.mp4"
    path.write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(DataError, match="not a readable video"):
        video_header(path)


def test_frames_have_a_limit_that_a_setting_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_greys(tmp_path / "a.mp4", 4)
    frame = SIZE_WH[0] * SIZE_WH[1]
    monkeypatch.setenv(FRAME_PIXELS.variable, str(frame - 1))
    with pytest.raises(DataError, match=f"64x48 frames: .*the limit is {frame - 1}"):
        check_video(path)
    monkeypatch.setenv(FRAME_PIXELS.variable, str(frame))
    monkeypatch.setenv(VIDEO_BYTES.variable, str(3 * 3 * frame))
    assert len(frames_at(path, [0, 1, 3])) == 3
    with pytest.raises(DataError, match=f"{VIDEO_BYTES.variable}={3 * 4 * frame}; or ask for"):
        frames_at(path, range(4))
    monkeypatch.setenv(VIDEO_BYTES.variable, "lots")
    with pytest.raises(UsageError, match=VIDEO_BYTES.variable):
        frames_at(path, [0])


@pytest.mark.parametrize(
    ("head", "end"),
    [
        (b"RIFF" + (90).to_bytes(4, "little"), 98),
        (b"RIFF" + b"\xff" * 4, 0),
        (EBML + b"\x82ab" + b"\x18\x53\x80\x67" + b"\x8a", 12 + 10),
        (EBML + b"\x82ab" + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7, 19),  # unknown
        (EBML + b"\x82ab", 0),
        (EBML, 0),
        (b"\0\0\0\x18ftypisom", 0),
    ],
)
def test_where_a_file_ends_by_its_first_bytes(head: bytes, end: int) -> None:
    assert container_end(head) == end
