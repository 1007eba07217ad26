"""Short clips of plain greys for tests, whole and cut without decoding."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FPS = 25
STEP = 5
SIZE_WH = (64, 48)


def grey(k: int) -> int:
    """The grey of the k-th frame."""
    return 30 + STEP * k


def write_greys(file: Path, n: int, codec: str = "libx264", b_frames: int = 0) -> Path:
    """A video whose k-th frame is of grey `grey(k)`, with a key frame every tenth frame."""
    with av.open(str(file), "w") as out:
        stream = out.add_stream(codec, rate=FPS)
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 10, b_frames
        for k in range(n):
            pixels = np.full((SIZE_WH[1], SIZE_WH[0], 3), grey(k), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())
    return file


def cut_by_copy(whole: Path, file: Path, first: int) -> Path:
    """The packets from the key frame before frame `first`; an edit list hides those before it."""
    with av.open(str(whole)) as source, av.open(str(file), "w") as out:
        stream = source.streams.video[0]
        assert stream.time_base is not None
        start = int(Fraction(first, FPS) / stream.time_base)
        source.seek(start, stream=stream, backward=True)
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
                packet.stream = copy
                out.mux(packet)
    return file


def write_sound(file: Path) -> Path:
    """Half a second of silence."""
    with av.open(str(file), "w") as out:
        stream = out.add_stream("aac", rate=16_000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        silence.sample_rate = 16_000
        out.mux(stream.encode(silence))
        out.mux(stream.encode())
    return file
