"""docs/tutorials/fine-tune.md as it is written: `python tests/external/fine_tune_tutorial.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.test_tutorials import run

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        done = run("fine-tune", Path(folder))
    print(done.stdout[-3000:], done.stderr[-3000:], sep="\n")
    sys.exit(done.returncode)
