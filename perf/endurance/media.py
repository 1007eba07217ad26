"""Hostile media: `perf/endurance/media.py [COUNT]` (20,000 pictures by default).

COUNT damaged pictures and a tenth as many damaged videos are looked at as before a run and then
read. Prints one line; exit 1 on an exception outside the error tree, or on a message of more than
one line.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.core.errors import ErBenchError
from er_bench.core.sample import Video
from er_bench.data.media import image, image_size, mask_values
from er_bench.data.media_look import look
from er_bench.data.rows import FileBlob
from er_bench.data.video import decode_frames, video_header
from tests.data.hostile_media import damaged, whole_pictures, whole_videos


def main() -> None:
    """Damage, look, read, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    began, ends, faults = time.monotonic(), Counter[str](), Counter[str]()

    def attempt(what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except ErBenchError as error:
            ends["refused"] += 1
            if "\n" in str(error) or len(str(error)) > 1000:
                faults[f"{what}: a long message: {error!s:.80}"] += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            faults[f"{what}: {error!r:.120}"] += 1
        else:
            ends["read"] += 1

    def seen(what: str, fault: str) -> None:
        ends["found before"] += bool(fault)
        if "\n" in fault or len(fault) > 1000:
            faults[f"{what}: a long fault: {fault:.80}"] += 1

    n_videos = args.count // 10
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "damaged"
        for content in damaged(whole_pictures(), args.count, args.seed):
            path.write_bytes(content)
            attempt("look", lambda: seen("picture", look(FileBlob(path), "picture").fault))
            for read in (image, image_size, mask_values):
                attempt(read.__name__, lambda read=read: read(FileBlob(path)))
        for content in damaged(whole_videos(Path(place)), n_videos, args.seed):
            path.write_bytes(content)
            attempt("look", lambda: seen("video", look(path, "video").fault))
            attempt("header", lambda: video_header(path))
            attempt("frames", lambda: decode_frames(Video(path), 4, "linspace"))
    for fault, times in faults.most_common(20):
        print(f"{times} x {fault}", file=sys.stderr)
    print(
        f"{args.count} pictures and {n_videos} videos: {ends['found before']} found before a run, "
        f"{ends['read']} reads, {ends['refused']} refused, {sum(faults.values())} faults, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB, "
        f"{time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
