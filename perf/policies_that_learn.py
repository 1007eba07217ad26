"""Teach a tiny policy skills of Meta-World, and draw how it learns: `perf/policies_that_learn.py`.

    python perf/policies_that_learn.py WORK [--envs window-close,button-press-topdown,drawer-close]

For each skill: 60 episodes of the scripted expert are recorded, none a row of the task;
`recipes/vlaser-vla-tiny.yaml` trains on them, and plays 10 rows of the task each 80 steps; then the
policy and `reference/chance` play all 50 rows. Needs `er-bench sim install metaworld`. What is in
WORK already is not made again. Prints a table and writes `docs/policies-that-learn.svg`; the
evaluations while training are on rows of the table, and choose nothing.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

import matplotlib

from er_bench.report.results import TaskResult, read_results

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "tasks" / "metaworld" / "mini" / "mt10.jsonl"
RECIPE = ROOT / "recipes" / "vlaser-vla-tiny.yaml"
FIGURE = ROOT / "docs" / "policies-that-learn.svg"
VLM = ROOT / "work" / "tiny-vlm"
EVERY, WATCHED = 80, 10


def er_bench(*words: object) -> None:
    """A command; what it prints goes to standard error."""
    command = [sys.executable, "-m", "er_bench", *map(str, words)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, stdout=sys.stderr, env=env)


def made(what: str, done: Path, *words: object) -> None:
    """Give a command unless what it makes is there; say what processor time it took."""
    if done.exists():
        return
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    er_bench(*words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what}: {seconds:.0f} s of processor time", file=sys.stderr)


def skill(env: str, work: Path) -> tuple[TaskResult, TaskResult]:
    """Record, teach and play one skill; the policy's result, and chance's."""
    demos, out, rows = work / f"{env}-episodes", work / env, work / f"{env}-rows"
    rows.mkdir(parents=True, exist_ok=True)
    lines = [line for line in ROWS.read_text().splitlines() if f'"id": "{env}/' in line]
    (rows / "mt10.jsonl").write_text("\n".join(lines) + "\n")
    made(
        f"{env}: recording", demos, "data", "make", "demonstrations", "--task", "metaworld",
        "--envs", env, "--episodes", 60, "--noise", 0.3, "--out", demos,
    )  # fmt: skip
    settings = {
        "model": VLM, "data": demos, "output": out, "eval_tasks": "[metaworld]", "eval_data": rows,
        "eval_every": EVERY, "eval_limit": WATCHED,
    }  # fmt: skip
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    made(f"{env}: training", out / "final", "vla", "train", "--recipe", RECIPE, *sets)
    found: list[TaskResult] = []
    for model in (f"vlaser_vla/{out / 'final'}", "reference/chance"):
        folder = out / f"run-{Path(model).name}"
        made(
            f"{env}: {Path(model).name}", folder / "results.json", "run", "--model", model,
            "--tasks", "metaworld", "--data", rows, "--accept-data", "--out", folder, "--quiet",
        )  # fmt: skip
        found += read_results(folder).tasks.values()
    return found[0], found[1]


def curve(out: Path) -> list[tuple[int, float]]:
    """Success by step, of the evaluations while training."""
    found: list[tuple[int, float]] = []
    for folder in out.glob("eval/step-*"):
        (result,) = read_results(folder).tasks.values()
        if result.score is not None:
            found.append((int(folder.name.removeprefix("step-")), result.score))
    return sorted(found)


def draw(curves: dict[str, list[tuple[int, float]]]) -> None:
    """Success by step, a line a skill."""
    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams |= {"svg.hashsalt": "er-bench", "font.size": 9}
    figure, axes = pyplot.subplots(figsize=(5.6, 3.2))
    for (env, points), marker in zip(curves.items(), "osD^v", strict=False):
        axes.plot(*zip(*points, strict=True), marker=marker, label=env)
    axes.set(xlabel="step", ylabel=f"success on {WATCHED} rows", ylim=(-0.03, 1.03))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Teach, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--envs", default="window-close,button-press-topdown,drawer-close")
    told = parser.parse_args()
    if not VLM.exists():
        from er_bench.models.internvl.tiny import make_tiny

        make_tiny(VLM, tile_px=56)
    curves = {}
    print("| skill | policy | 95% | chance | rows |\n|---|---|---|---|---|")
    for env in told.envs.split(","):
        policy, chance = skill(env, told.work)
        low, high = policy.ci95 or (0.0, 1.0)
        share = f"{100 * (policy.score or 0):.0f} | {100 * low:.0f}-{100 * high:.0f}"
        print(f"| {env} | {share} | {100 * (chance.score or 0):.0f} | {policy.n_scored} |")
        curves[env] = curve(told.work / env)
    draw(curves)


if __name__ == "__main__":
    main()
