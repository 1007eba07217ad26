"""A task that fine-tuning left in the middle, raised by GRPO: three seeds, and a control.

Rows in Where2Place's layout ask `vlaser-tiny` to point at a named thing in words that its training
never used ("put the red star away"). The judge of `where2place` rewards; a control with random
rewards goes through the same steps. Every model is then run on held-out scenes by `er-bench run`,
and compared with the start sample by sample.

    python perf/reinforce.py WORK [--steps 40] [--out perf/reinforce.md]
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image

import er_bench
from er_bench.cli.console import PlainConsole
from er_bench.core.geometry import Mask
from er_bench.scenes import draw, mask, random_scene
from er_bench.train.methods.grpo.recipe import GrpoRecipe
from er_bench.train.methods.grpo.run import train
from er_bench.train.recipe import load

WORDINGS = (
    "put the {} away",
    "what would you move to clear away the {}?",
    "could you pick up the {}",
    "clean up the {}",
    "show me where to grip the {}",
    "bring the {} to the sink",
)
TEACHING_SEED, HELD_OUT_SEED = 3_000_001, 600_001
RECIPE = Path(__file__).parents[1] / "recipes" / "reinforce-tiny.yaml"
SEEDS = (1, 2, 3)


def write_rows(folder: Path, seed: int, n: int) -> Path:
    """Scenes of three to six things, a request for one of them, and its pixels as the mask."""
    rng = random.Random(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(n):
        scene = random_scene(rng, rng.randint(3, 6))
        thing, wording = rng.choice(scene.things), rng.choice(WORDINGS)
        draw(scene).save(folder / "images" / f"{number}.png")
        _picture(mask(scene, thing)).save(folder / "masks" / f"{number:02d}.jpg", quality=95)
        row = {"question_id": number, "image": f"{number}.png", "category": wording}
        lines.append(json.dumps(row | {"text": wording.format(thing.label)}))
    (folder / "point_questions.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def _picture(mask_hw: Mask) -> Image.Image:
    return Image.fromarray(mask_hw.astype(np.uint8) * 255)


def measured(model: str, rows: Path, out: Path, name: str) -> er_bench.Run:
    """A run on the held-out rows."""
    return er_bench.evaluate(
        model, ["where2place"], data=rows, out=out / name, dialect="internvl_1000",
        model_args={"max_tiles": 1}, gen_args={"max_new_tokens": 12}, accept_data=True,
    )  # fmt: skip


def main() -> None:
    """Draw, teach, run, compare, write the table and the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    work, console = wanted.work.resolve(), PlainConsole()
    start_s = time.monotonic()
    teaching = write_rows(work / "teaching", TEACHING_SEED, 3000)
    held_out = write_rows(work / "held-out", HELD_OUT_SEED, 400)
    before = measured("vlaser-tiny", held_out, work, "before")
    lines, curves = [], {}
    ways = [("the judge", "official", seed) for seed in SEEDS]
    ways += [("random", "random", seed) for seed in SEEDS]
    for way, reward, seed in ways:
        name = f"{reward}-{seed}"
        sets = [
            f"output={work / name}", f"tasks_data={teaching}", f"eval_data={held_out}",
            f"seed={seed}", f"max_steps={wanted.steps}", f"rewards={{{reward}: 1.0}}",
        ]  # fmt: skip
        then_s = time.monotonic()
        final = train(load(GrpoRecipe, RECIPE, sets), resume=False, console=console)
        minutes = (time.monotonic() - then_s) / 60
        after = measured(str(final), held_out, work, f"after-{name}")
        task = er_bench.compare(before.folder, after.folder).tasks[0]
        low, high = task.difference.ci95 or (float("nan"), float("nan"))
        curves[name] = curve(work / name)
        lines.append(
            f"| {way} | {seed} | {score(before):.3f} | {score(after):.3f} | "
            f"{task.difference.value:+.3f} | {low:+.3f} .. {high:+.3f} | {minutes:.1f} |"
        )
        print(lines[-1], flush=True)
    told = page(wanted.steps, lines, (time.monotonic() - start_s) / 60)
    print(told)
    if wanted.out:
        wanted.out.write_text(told, encoding="utf-8")
        draw_curves(curves, score(before), wanted.out.with_suffix(".svg"))


def score(run: er_bench.Run) -> float:
    """The official score."""
    found = run.results.tasks["where2place"].score
    assert found is not None
    return found


def curve(folder: Path) -> list[tuple[int, float]]:
    """Held-out score by step, while it was taught."""
    found = []
    for run in (folder / "eval").iterdir():
        made = er_bench.load_run(run).results.tasks["where2place"].score
        assert made is not None
        found.append((int(run.name.removeprefix("step-")), made))
    return sorted(found)


def page(steps: int, lines: list[str], minutes: float) -> str:
    """The table, with the command, the machine and the time."""
    head = "| reward | seed | before | after | difference | 95%, paired | minutes |"
    return "\n".join(
        [
            "# Reinforced by a task's own judge",
            "",
            f"    python perf/reinforce.py WORK --steps {steps} --out perf/reinforce.md",
            "",
            f"`vlaser-tiny`, {steps} steps of 16 prompts with 8 answers each "
            "(`recipes/reinforce-tiny.yaml`), then",
            "400 held-out scenes by `er-bench run`, greedy, official reading. "
            f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {torch.get_num_threads()} "
            f"threads, torch {torch.__version__};",
            f"{minutes:.0f} minutes in all.",
            "",
            head,
            "|---|---|---|---|---|---|---|",
            *lines,
            "",
            "![Held-out score by step](reinforce.svg)",
            "",
        ]
    )


def draw_curves(curves: dict[str, list[tuple[int, float]]], before: float, file: Path) -> None:
    """Held-out score by step; rewards are told apart by line and marker."""
    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.6))
    for name, points in curves.items():
        steps, scores = zip(*[(0, before), *points], strict=True)
        judged = name.startswith("official")
        axes.plot(
            steps, scores, "o-" if judged else "s--", color="#1f5fa8" if judged else "#8a8a8a",
            label=name, markersize=4,
        )  # fmt: skip
    axes.set(xlabel="step", ylabel="held-out score", ylim=(0, 1))
    axes.legend(fontsize=8)
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
