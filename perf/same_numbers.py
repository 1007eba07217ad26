"""Record every number that a change of the structure must not alter, and compare two recordings.

    python perf/same_numbers.py record OUT [--real DIR]     run everything, keep it in OUT
    python perf/same_numbers.py compare BEFORE AFTER        print what differs; exit 1 if a score

Recorded are the conformance cases, the demo's three runs on the mini splits, the built-in homes by
oracle, random-action and blind, and, with `--real`, Point-Bench and EB-Habitat on the material in
DIR. Everything goes through the installed command line, so that OUT may be made by any version.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RUNS: dict[str, tuple[str, ...]] = {
    "demo-vlaser-tiny": ("vlaser-tiny", "all"),
    "demo-oracle": ("reference/oracle", "all"),
    "demo-chance": ("reference/chance", "all"),
    "homes-oracle": ("reference/oracle", "home_alfred,home_rearrange"),
    "homes-random": ("reference/random-action", "home_alfred,home_rearrange"),
    "homes-blind": ("reference/blind", "home_alfred,home_rearrange"),
    "boxes-oracle": ("reference/oracle", "roborefit"),
    "boxes-chance": ("reference/chance", "roborefit"),
}
REAL: dict[str, tuple[str, ...]] = {
    "real-pointbench-oracle": (
        "reference/oracle", "pointarena", "--data", "pointbench", "--allow-missing"),
    "real-pointbench-chance": (
        "reference/chance", "pointarena", "--data", "pointbench", "--allow-missing"),
    "real-eb-habitat-oracle": (
        "reference/oracle", "home_rearrange", "--data", "eb_habitat", "--accept-data"),
    "real-eb-habitat-blind": (
        "reference/blind", "home_rearrange", "--data", "eb_habitat", "--accept-data"),
}  # fmt: skip
TOLERANCE = 1e-12
"""Two numbers closer than this are the same: sums may be taken in another order."""


def record(out: Path, real: Path | None) -> None:
    """Run everything once and keep the run folders and the conformance table."""
    out.mkdir(parents=True)
    for name, (model, tasks) in ((n, r[:2]) for n, r in RUNS.items()):
        run(out / name, "--model", model, "--tasks", tasks, "--split", "mini")
    for name, (model, tasks, *more) in REAL.items() if real else ():
        at = [str(real / word) if word in ("pointbench", "eb_habitat") else word for word in more]
        run(out / name, "--model", model, "--tasks", tasks, *at)
    script = Path(__file__).parent.parent / "docs" / "conformance.py"
    told = ["--real", str(real)] if real else []
    table = subprocess.run([sys.executable, str(script), *told], capture_output=True, text=True)
    (out / "conformance.md").write_text(table.stdout, encoding="utf-8")


def run(folder: Path, *arguments: str) -> None:
    """One `er-bench run`; a run that is incomplete for want of a simulator is kept as well."""
    command = [sys.executable, "-m", "er_bench.cli.main", "run", *arguments, "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    print(f"{folder.name}: exit {done.returncode}", flush=True)


def task_numbers(task: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every number of one task of `results.json`, by name, whatever the version."""
    for name in ("score", "robust_score", "stderr", "ci95", "n_total", "n_scored", "n_left_out",
                 "n_unparsed", "n_clusters", "n_data_error", "n_env_error", "chance",
                 "prompt_sha256", "status"):  # fmt: skip
        yield name, task.get(name)
    readings = task.get("readings")
    for reading in ("official", "robust"):
        if readings is None:
            flat = dict(task["by_category" if reading == "official" else "robust_by_category"])
            flat |= task["means"] if reading == "official" else {}
        else:
            told = readings.get(reading, {"categories": {}, "metrics": {}})
            flat = {**told["categories"], **told["metrics"]}
        for name, value in flat.items():
            yield f"{reading}.{name}", value
    yield "fingerprint", task["dataset"]["fingerprint"]


def sample_scores(folder: Path) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    """Both scores, both statuses and the answer of every record, by task, id and repeat."""
    found = {}
    for line in (folder / "records.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        key = row["task"], row["id"], row.get("repeat", 0)
        if "completions" not in row:
            read = row.get("judgement", {})
            verdicts = [read.get(name) for name in ("official", "robust")]
            scores = [v and v["score"] for v in verdicts]
            answers = [v and v["answer"].get("status", "ok") for v in verdicts]
        else:
            score, answer = row["score"] or {}, row["answer"]
            scores = [score.get(name) for name in ("official", "robust")]
            answers = [answer[name] and answer[name]["status"] for name in ("official", "robust")]
        found[key] = (row["status"], *scores, *answers)
    return found


def equal(one: Any, other: Any) -> bool:
    """Equality, numbers within TOLERANCE."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, float) or isinstance(other, float):
        if one is None or other is None:
            return False
        return math.isclose(one, other, rel_tol=0, abs_tol=TOLERANCE)
    return bool(one == other)


UNCERTAINTY = ("stderr", "ci95")
ELAPSED = ("official.episode_elapsed_seconds", "robust.episode_elapsed_seconds")


def compare(before: Path, after: Path) -> int:
    """Print one line a run, one for each difference; 1 when a score or a count differs."""
    wrong = 0
    for name in sorted(p.name for p in before.iterdir() if p.is_dir()):
        old, new = (json.loads((f / name / "results.json").read_text()) for f in (before, after))
        differences, n = [], 0
        for task in sorted({*old["tasks"], *new["tasks"]}):
            then, now = (dict(task_numbers(r["tasks"][task])) for r in (old, new))
            for what in [w for w in then if w not in ELAPSED]:
                n += 1
                if not equal(then[what], now.get(what)):
                    differences.append((task, what, then[what], now.get(what)))
        then, now = sample_scores(before / name), sample_scores(after / name)
        samples = [k for k in sorted({*then, *now}) if not equal_sample(then.get(k), now.get(k))]
        hard = [d for d in differences if d[1] not in UNCERTAINTY]
        wrong += len(hard) + len(samples)
        print(f"{name}: {n} numbers, {len(hard)} differ; {len(differences) - len(hard)} errors and "
              f"intervals differ; {len(then)} samples, {len(samples)} differ")  # fmt: skip
        for task, what, was, is_now in differences:
            print(f"    {task} {what}: {was} -> {is_now}")
        for key in samples[:5]:
            print(f"    {key}: {then.get(key)} -> {now.get(key)}")
    tables = [(f / "conformance.md").read_text() for f in (before, after)]
    totals = [t.strip().splitlines()[-1] for t in tables]
    print(f"conformance before: {totals[0]}\nconformance after:  {totals[1]}")
    return int(wrong > 0 or tables[0] != tables[1])


def equal_sample(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> bool:
    """Whether two samples ended alike."""
    return one is not None and other is not None and all(map(equal, one, other))


def main() -> None:
    """Record or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("out", type=Path)
    recording.add_argument("--real", type=Path, help="a folder of real material")
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    told = parser.parse_args()
    if told.command == "record":
        record(told.out.resolve(), told.real and told.real.resolve())
    else:
        sys.exit(compare(told.before, told.after))


if __name__ == "__main__":
    main()
