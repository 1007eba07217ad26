"""Which frames of a file a video part is about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from er_bench.core.errors import DataError
from er_bench.core.message import user
from er_bench.core.prompt import Expect, Prompt
from er_bench.core.sample import Video
from er_bench.data.media import decode_frames, span, video_header

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
