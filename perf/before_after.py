"""Two versions of er-bench in turn on one machine: start-up, scoring, writing; medians.

    python perf/before_after.py BEFORE AFTER [--answers 100000] [--questions 20000]

BEFORE and AFTER are the Python interpreters of two environments, each with a version installed.
Prints the first rows of the table "Before and after" of perf/README.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from rescore import TASK, write_rows

CODE = """
import resource, sys
from er_bench.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("KB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def timed(python: str, folder: Path, *arguments: str | Path) -> tuple[float, int]:
    """Seconds and peak MB of one command; away from any checkout."""
    start = time.perf_counter()
    command = [python, "-c", CODE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    return time.perf_counter() - start, int(done.stdout.rsplit("KB", 1)[1]) // 1024


def size_mb(folder: Path) -> float:
    """What a run folder takes."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6


def main() -> None:
    """Each command of both versions in turn, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pythons", nargs=2)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=20_000)
    options = parser.parse_args()
    found: dict[tuple[str, str], list[tuple[float, int, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        answers = write_rows(folder / "scored", options.answers)
        write_rows(folder / "asked", options.questions)
        Image.new("RGB", (64, 48), (9, 99, 9)).save(folder / "asked" / "photo.jpg")
        score = ["score", "--task", TASK, "--responses", answers, "--data", folder / "scored"]
        ask = ["run", "--model", "reference/chance", "--tasks", TASK, "--data", folder / "asked"]
        for k in range(3):
            for which, python in zip(("before", "after"), options.pythons, strict=True):
                outs = [folder / f"{which}-{k}-{n}" for n in range(3)]
                for what, out, command in (
                    ("score --responses", outs[0], [*score, "--accept-data", "--out", outs[0]]),
                    ("score --run", outs[1], ["score", "--run", outs[0], "--out", outs[1]]),
                    ("run", outs[2], [*ask, "--accept-data", "--out", outs[2]]),
                    ("--help", outs[2], ["--help"]),
                ):
                    took = (*timed(python, folder, *command), size_mb(out))
                    found.setdefault((what, which), []).append(took)
    for (what, which), took in found.items():
        seconds, peak, size = (statistics.median(column) for column in zip(*took, strict=True))
        print(f"{what:18} {which:7} {seconds:6.2f} s  peak {peak:4.0f} MB  folder {size:5.1f} MB")


if __name__ == "__main__":
    main()
