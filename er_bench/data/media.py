"""Images and video frames, decoded when needed. Nothing here may run on the event loop."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from er_bench.core.errors import DataError, MissingExtraError
from er_bench.core.geometry import Mask, Size
from er_bench.core.sample import Blob, Image, Video
from er_bench.data.byte_cache import ByteCache
from er_bench.data.rows import FileBlob

FRAME_CACHE_BYTES = 512 * 2**20


def image(blob: Blob) -> PIL.Image.Image:
    """Decode a still image to RGB. EXIF orientation is not applied, as in the official code.

    Raises DataError that names the file.
    """
    try:
        with PIL.Image.open(io.BytesIO(blob.read())) as opened:
            return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DataError(f"not a readable image: {error}", file=blob.name) from error


def image_size(source: Path | Blob) -> Size:
    """`(width, height)` from the header. Raises DataError that names the file."""
    source = source.path if isinstance(source, FileBlob) else source
    name = str(source) if isinstance(source, Path) else source.name
    try:
        file = source if isinstance(source, Path) else io.BytesIO(source.read())
        with PIL.Image.open(file) as opened:
            return opened.size
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DataError(f"not a readable image: {error}", file=name) from error


def mask_values(source: Path | Blob) -> NDArray[np.uint8]:
    """A mask as stored, `(H, W)` or `(H, W, channels)` uint8. Raises DataError."""
    name = str(source) if isinstance(source, Path) else source.name
    try:
        file = source if isinstance(source, Path) else io.BytesIO(source.read())
        with PIL.Image.open(file) as opened:
            return np.asarray(opened.convert("L") if opened.mode in "1P" else opened)
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise DataError(f"not a readable mask: {error}", file=name) from error


def mask_over(source: Path | Blob, threshold: int) -> Mask:
    """The pixels whose value, in any channel, is greater than `threshold`: `(H, W)` bool."""
    values = mask_values(source)
    return (values if values.ndim == 2 else values.max(axis=2)) > threshold


def frame_indices(first: int, last: int, n: int, sampling: str) -> list[int]:
    """The `n` frame numbers in `[first, last]` that a sampling rule takes.

    `centres`: `int(first + seg/2 + round(seg*k))`, `seg = (last-first)/n` (InternVL `get_index`;
    InternVL3-1B README). `linspace`: `np.linspace(first, last, n, dtype=int)`
    (EgoPlan-Bench2 `eval.py`, commit 2523b38).
    """
    if sampling == "centres":
        seg = (last - first) / n
        return [int(first + seg / 2 + np.round(seg * k)) for k in range(n)]
    if sampling == "linspace":
        return [int(k) for k in np.linspace(first, last, n, dtype=int)]
    raise ValueError(f"unknown frame sampling {sampling!r}")


class FrameCache:
    """Decoded frames of the videos used last, so that questions on one clip decode it once."""

    def __init__(self, limit_bytes: int = FRAME_CACHE_BYTES) -> None:
        self._frames: ByteCache[list[PIL.Image.Image]] = ByteCache(limit_bytes, _bytes)

    def frames(self, video: Video, n: int, sampling: str) -> list[PIL.Image.Image]:
        """`n` frames of a video, RGB. The part's own count and rule win where it sets them.

        Raises DataError that names the file.
        """
        n, sampling = video.n_frames or n, video.sampling or sampling
        key = (video, n, sampling)
        return self._frames.get(key, lambda: decode_frames(video, n, sampling))

    def pictures(self, part: Image | Video, n: int, sampling: str) -> list[PIL.Image.Image]:
        """An image, or `n` frames of a video, RGB; see `frames`. Raises DataError."""
        return [image(part.blob)] if isinstance(part, Image) else self.frames(part, n, sampling)


def _bytes(frames: Sequence[PIL.Image.Image]) -> int:
    return sum(f.width * f.height * 3 for f in frames)


def decode_frames(video: Video, n: int, sampling: str) -> list[PIL.Image.Image]:
    """Decode `n` frames of a video by PyAV. Raises DataError."""
    total, fps, _ = video_header(video.path)
    found = span(video, total, fps)
    return frames_at(video.path, frame_indices(found.start, found.stop - 1, n, sampling))


def span(video: Video, total: int, fps: float) -> range:
    """The frames that a video part is about, of a file with `total` frames at `fps`.

    Raises DataError when no frame lies in the clip.
    """
    if video.clip_s is not None:
        first, stop = (min(int(t * fps), total) for t in video.clip_s)
        if first >= stop:
            raise DataError(f"no frame of the video's {total} lies in the clip", file=video.path)
        return range(first, stop)
    rate = fps / video.fps if video.fps else 1.0
    last = total - 1
    if video.stop_frame is not None:
        last = min(round(video.stop_frame * rate), last)
    return range(round(video.start_frame * rate), last + 1)


def video_header(path: Path) -> tuple[int, float, Size]:
    """How many frames a video has, how many a second, and their width and height.

    Raises DataError that names the file.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("reading video", "video", str(error)) from error
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            n_frames = stream.frames or sum(1 for _ in container.demux(stream) if _.size)
            size_wh = stream.codec_context.width, stream.codec_context.height
            return n_frames, float(stream.average_rate or 1), size_wh
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise DataError(f"not a readable video: {error}", file=path) from error


def frames_at(path: Path, wanted: Sequence[int]) -> list[PIL.Image.Image]:
    """The frames of these numbers, RGB. Raises DataError that names the file."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("reading video", "video", str(error)) from error
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            frames = _pick(container, stream, set(wanted))
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise DataError(f"not a readable video: {error}", file=path) from error
    if missing := [k for k in wanted if k not in frames]:
        raise DataError(f"the video has no frame {missing[0]}", file=path)
    return [frames[k] for k in wanted]


def _pick(container, stream, wanted: set[int]) -> dict[int, PIL.Image.Image]:  # type: ignore[no-untyped-def]
    frames: dict[int, PIL.Image.Image] = {}
    for number, frame in enumerate(container.decode(stream)):
        if number in wanted:
            frames[number] = frame.to_image()
            if len(frames) == len(wanted):
                break
    return frames
