"""Short clips: frames written as H.264."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from er_bench.core.errors import MissingExtraError

H264_ENCODER: Final = "libx264"


def write_clip(
    file: Path, frames: Iterable[Image.Image], fps: int, crf: int = 24, keyframes: int = 12
) -> None:
    """Write RGB frames of one even size as an MP4 with a key frame every `keyframes` frames.

    One encoder thread, so that the same frames give the same bytes with the same encoder. Without
    libx264, MPEG-4 part 2. Raises MissingExtraError without PyAV.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("writing video", "video", str(error)) from error
    h264 = H264_ENCODER in av.codecs_available
    settings: dict[str, object] = (
        {"crf": str(crf), "preset": "slow", "threads": "1"} if h264 else {"q": "5"}
    )
    with av.open(str(file), "w", options={"movflags": "faststart"}) as container:
        stream = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream(H264_ENCODER if h264 else "mpeg4", rate=Fraction(fps))
                stream.width, stream.height = frame.size
                stream.pix_fmt, stream.options = "yuv420p", settings if h264 else {}
                stream.codec_context.gop_size = keyframes
            picture = av.VideoFrame.from_ndarray(np.asarray(frame.convert("RGB")), format="rgb24")
            container.mux(stream.encode(picture))
        if stream is not None:
            container.mux(stream.encode())


def why_no_h264() -> str | None:
    """Why nothing here writes H.264, which browsers play; None where it can be written."""
    try:
        import av
    except ImportError:
        return "PyAV is not installed: pip install 'er-bench[video]'"
    if H264_ENCODER not in av.codecs_available:
        return f"the PyAV that is installed has no H.264 encoder ({H264_ENCODER})"
    return None
