"""Makes `mini/`: 24 drawn ways from a gripper to a thing, in the authors' form of an answer.

Run: `python -m er_bench.tasks.vabench_visual.mini [FOLDER]`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from er_bench.scenes.trace_rows import write_rows
from er_bench.tasks.base.tagged_words import THINKING
from er_bench.tasks.base.trace_task import TAG

SEED = 20250514
WORDS = tuple(
    f"<image> The task instruction is: {told}. Trace the way in order. {THINKING}"
    for told in ("reach for the {}", "move to the {}", "go and touch the {}")
)


def build(folder: Path) -> None:
    """Write the mini split into a folder."""
    write_rows(folder, SEED, WORDS, lambda trace: TAG + json.dumps({"trajectory": trace}))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "mini")
