"""Draw an episode of the built-in home as one picture: `python perf/filmstrip.py OUT.png`.

    --task home_alfred|home_rearrange   the home
    --episode ID                        one of its mini episodes (default: one with many rooms)
    --data DIR                          other episodes, e.g. EB-Habitat's pickles

The oracle acts; each frame is what the agent sees after the action under it.
"""

from __future__ import annotations

import argparse
import io
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from er_bench.core.environment import HEAD_RGB
from er_bench.core.registry import Registry, TaskSpec
from er_bench.tasks.base.home import HomeTask
from er_bench.worlds.home.simulator import HomeSimulator

FRAME_PX = 300
CAPTION_PX = 62
COLUMNS = 4
TITLE_PX = 40
DEFAULTS = {"home_alfred": "long_horizon_00", "home_rearrange": "long_horizon_00"}


def frames(task: HomeTask, episode_id: str) -> tuple[str, list[tuple[bytes, str]]]:
    """The instruction, and each frame with its caption."""
    sample = next((s for s in task.samples() if s.id == episode_id), None)
    if sample is None:
        raise SystemExit(f"there is no episode {episode_id!r}")
    simulator = HomeSimulator()
    start = simulator.reset(sample.id, 0, FRAME_PX, dict(sample.target.spec))
    film = [(start["obs"][HEAD_RGB], "start")]
    for number, name in enumerate(sample.target.plan, 1):
        step = simulator.step(name)
        end = "  DONE" if step["success"] else ""
        film.append((step["obs"][HEAD_RGB], f"{number}. {name}\n{step['feedback']}{end}"))
    return start["instruction"], film


def strip(title: str, film: list[tuple[bytes, str]]) -> Image.Image:
    """All frames in rows, captions below them."""
    columns = min(COLUMNS, len(film))
    rows = -(-len(film) // columns)
    size = columns * FRAME_PX, TITLE_PX + rows * (FRAME_PX + CAPTION_PX)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((8, 8), title, "black", ImageFont.load_default(18))
    font = ImageFont.load_default(13)
    for number, (png, caption) in enumerate(film):
        x = number % columns * FRAME_PX
        y = TITLE_PX + number // columns * (FRAME_PX + CAPTION_PX)
        sheet.paste(Image.open(io.BytesIO(png)), (x, y))
        lines = [part for line in caption.splitlines() for part in textwrap.wrap(line, 44)]
        draw.multiline_text((x + 6, y + FRAME_PX + 4), "\n".join(lines[:4]), "black", font)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--task", default="home_alfred", choices=sorted(DEFAULTS))
    parser.add_argument("--episode")
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    registry = Registry()
    root = args.data or registry.mini_root(args.task)
    task = registry.open_task(TaskSpec(args.task, root))
    assert isinstance(task, HomeTask)
    title, film = frames(task, args.episode or DEFAULTS[args.task])
    strip(title, film).save(args.out)


if __name__ == "__main__":
    main()
