"""Time and memory of `er-bench score` on 10,000 and 100,000 stored answers of a static task.

python perf/rescore.py [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASK = "erqa"


def write_rows(folder: Path, n: int) -> Path:
    """Rows in the mirror's columns and an answer to each; returns the answers' file."""
    rng = random.Random(0)
    folder.mkdir(parents=True)
    answers = folder.with_suffix(".answers.jsonl")
    with (folder / "test.jsonl").open("w") as rows, answers.open("w") as out:
        for k in range(n):
            row = {
                "question_id": f"ERQA_{k + 1}",
                "question": "What now? Choices: A. Stop. B. Go on. C. Turn left. D. Turn right. "
                "Please answer directly with only the letter of the correct option and nothing "
                "else.",
                "question_type": rng.choice(["Action Reasoning", "Pointing", "Other"]),
                "answer": rng.choice("ABCD"),
                "visual_indices": [0],
                "images": ["photo.jpg"],
            }
            rows.write(json.dumps(row) + "\n")
            text = f"{rng.choice('ABCD')}{rng.choice(['', '.', ', because of the cup'])}"
            out.write(json.dumps({"id": row["question_id"], "response": text}) + "\n")
    return answers


def measure(n: int, folder: Path) -> tuple[float, int]:
    """Seconds and peak MB of one `er-bench score` of n answers."""
    answers = write_rows(folder / str(n), n)
    code = (
        "import sys; from er_bench.cli.main import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "import resource; print('KB', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, "score", "--task", TASK, "--responses", str(answers),
               "--data", str(folder / str(n)), "--accept-data",
               "--out", str(folder / f"o{n}")]  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    return seconds, int(done.stdout.rsplit("KB", 1)[1]) // 1024


def profile(folder: Path) -> None:
    """Where the time goes, by cumulative time."""
    import er_bench

    answers = write_rows(folder / "p", 20_000)
    profiler = cProfile.Profile()
    profiler.enable()
    er_bench.score_responses(TASK, answers, folder / "op", data=folder / "p", accept_data=True)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(18)


def main() -> None:
    """Print both sizes and what a hundred thousand cost over ten thousand."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", action="store_true")
    with tempfile.TemporaryDirectory() as name:
        if parser.parse_args().profile:
            profile(Path(name))
            return
        for n in (10_000, 100_000):
            seconds, megabytes = measure(n, Path(name))
            print(f"{n:,} answers: {seconds:.1f} s, {n / seconds:,.0f}/s, peak {megabytes} MB")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0


if __name__ == "__main__":
    main()
