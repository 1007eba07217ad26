"""What `er-bench view` takes for a large run: `python perf/view.py [--records 100000]`.

The records of a run of the chance model are written over and over under other ids; the viewer
indexes them and makes twenty chunks. Prints the seconds and the memory held.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import er_bench
from er_bench.report.pages.serve import Viewer


def main() -> None:
    """Write, index, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        run = er_bench.evaluate(
            "reference/chance", "erqa,refspatial", split="mini", out=Path(place) / "run"
        )
        path = run.folder / "records.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        with path.open("w") as file:
            for k in range(args.records):
                record = lines[k % len(lines)]
                file.write(json.dumps({**record, "id": f"{record['id']}_{k}"}) + "\n")
        start = time.perf_counter()
        viewer = Viewer(run.folder)
        took = time.perf_counter() - start
        for name in list(viewer.names)[:20]:
            viewer.data(name)
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{args.records:,} records: indexed in {took:.1f} s, {held} MiB held")


if __name__ == "__main__":
    main()
