"""Make the mini split: `python -m er_bench.tasks.home_alfred.mini [DIR]`.

120 episodes, 20 of each subset, each proved when it is made (`er_bench/sim/home/proof.py`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from er_bench.sim.home.generate_alfred import generate

SEED = 1


def main(folder: Path) -> None:
    """Write `episodes.json`, one episode a line."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(e, separators=(",", ":")) for e in generate(SEED))
    (folder / "episodes.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "mini")
