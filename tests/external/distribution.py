"""The distributions: the wheel in an empty environment runs the mini splits, the sdist its tests.

    python tests/external/distribution.py [--sdist]

Builds both from this checkout, installs the wheel alone with pip and the versions of
`constraints.txt`, and runs the oracle on every mini split from a folder that is not the checkout;
with `--sdist` also unpacks the source distribution and runs `make test` there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TASKS = "all,roborefit,home_alfred,home_rearrange"


def build(out: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


def scores(wheel: Path, work: Path) -> dict[str, float | None]:
    """The oracle's scores by task, from the wheel in an environment of its own."""
    env, out = work / "env", work / "run"
    subprocess.run([sys.executable, "-m", "venv", env], check=True)
    install = [env / "bin" / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, wheel], check=True)
    command = [env / "bin" / "er-bench", "run", "--model", "reference/oracle", "--tasks", TASKS]
    command += ["--split", "mini", "--out", out]
    told = {**os.environ, "ER_BENCH_HOME_RENDERER": "numpy"}
    subprocess.run(command, cwd=work, env=told, check=False, stdout=subprocess.DEVNULL)
    found = json.loads((out / "results.json").read_text(encoding="utf-8"))["tasks"]
    return {name: task["score"] for name, task in found.items()}


def main() -> None:
    """Build, run, print; exit 1 for a score that is not 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sdist", action="store_true", help="also run make test from the sdist")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sdist, wheel = build(Path(folder, "dist"))
        found = scores(wheel, Path(folder))
        for name, score in found.items():
            print(f"{name:16} {'no mini split here' if score is None else score}")
        if options.sdist:
            with tarfile.open(sdist) as archive:
                archive.extractall(folder, filter="data")
            unpacked = Path(folder, sdist.name.removesuffix(".tar.gz"))
            subprocess.run(["make", "test"], cwd=unpacked, check=True)
        sys.exit(any(score not in (None, 1.0) for score in found.values()))


if __name__ == "__main__":
    main()
