"""Makes `mini/`: 24 drawn ways from a gripper to a thing, in the hub's layout.

Run: `python -m er_bench.tasks.sharerobot_trajectory.mini [FOLDER]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from er_bench.scenes.trace_rows import write_rows

SEED = 20250221
WORDS = ("reach for the {}", "approach the {}", "move the gripper to the {}")


def build(folder: Path) -> None:
    """Write the mini split into a folder."""
    write_rows(folder, SEED, WORDS, lambda trace: trace)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "mini")
