"""Make the episodes: `PYTHON tasks/metaworld/mini.py [DIR]`, PYTHON having metaworld 3.1.1.

What is drawn at random in each is what the package's own benchmarks draw with seed 0, 50 times for
each environment. The first draws of all environments come first, so that `--limit 10` meets each.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

SEED = 0
HERE = Path(__file__).parent


def rows(benchmark: str, instructions: dict[str, str]) -> list[dict[str, object]]:
    """The episodes of MT10 or MT50."""
    import metaworld

    drawn: dict[str, list[list[float]]] = {}
    for task in getattr(metaworld, benchmark)(seed=SEED).train_tasks:
        numbers = pickle.loads(task.data)["rand_vec"]  # the package's own
        drawn.setdefault(task.env_name, []).append([float(n) for n in numbers])
    return [
        {
            "id": f"{name.removesuffix('-v3')}/{number:02d}",
            "env": name,
            "instruction": instructions[name],
            "rand_vec": draws[number],
        }
        for number in range(len(next(iter(drawn.values()))))
        for name, draws in drawn.items()
    ]


def read_instructions() -> dict[str, str]:
    """The sentences, read without a YAML package: each is a name, a colon and the words."""
    lines = (HERE / "instructions.yaml").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {name: words for name, _, words in pairs}


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "mini"
    folder.mkdir(parents=True, exist_ok=True)
    for benchmark in ("MT10", "MT50"):
        lines = [json.dumps(row) + "\n" for row in rows(benchmark, read_instructions())]
        (folder / f"{benchmark.lower()}.jsonl").write_text("".join(lines), encoding="utf-8")
