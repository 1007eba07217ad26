"""Hostile media: `perf/endurance/media.py [COUNT]` (20,000 pictures by default).

COUNT damaged pictures and a tenth as many damaged videos are looked at as before a run and then
read. Prints one line; exit 1 on an exception outside the error tree, or on a message of more than
one line.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.core.sample import Video
from er_bench.data.media import image, image_size, mask_values
from er_bench.data.media_look import look
from er_bench.data.rows import FileBlob
from er_bench.data.video import decode_frames, video_header
from tests.data.hostile_media import damaged, whole_pictures, whole_videos
from tests.tally import Tally, arguments


def main() -> None:
    """Damage, look, read, print, and exit."""
    args, tally = arguments(__doc__), Tally()
    warnings.simplefilter("ignore")

    def seen(what: str, fault: str) -> None:
        tally.ends["found before a run"] += bool(fault)
        tally.told(what, fault)

    n_videos = args.count // 10
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "damaged"
        for content in damaged(whole_pictures(), args.count, args.seed):
            path.write_bytes(content)
            tally.attempt("look", lambda: seen("picture", look(FileBlob(path), "picture").fault))
            for read in (image, image_size, mask_values):
                tally.attempt(read.__name__, lambda read=read: read(FileBlob(path)))
        for content in damaged(whole_videos(Path(place)), n_videos, args.seed):
            path.write_bytes(content)
            tally.attempt("look", lambda: seen("video", look(path, "video").fault))
            tally.attempt("header", lambda: video_header(path))
            tally.attempt("frames", lambda: decode_frames(Video(path), 4, "linspace"))
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    tally.close(f"{args.count} pictures and {n_videos} videos, {held} MiB held")


if __name__ == "__main__":
    main()
