"""What a fine-tuning run learns from, as one digest, and what it has left out."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from er_bench.train.data.mixture import Mixture

SKIPPED, SCANS = "skipped.jsonl", "scan"


def n_skipped(file: Path) -> int:
    """How many samples were left out; a restart lists those that it meets again once more."""
    if not file.is_file():
        return 0
    places = set()
    with file.open("rb") as lines:
        for line in lines:
            # A line that a kill has cut off is of a sample that the restart met again.
            with suppress(ValueError):
                places.add(json.loads(line)["place"])
    return len(places)


def fingerprint(mixture: Mixture) -> str:
    """A digest of which samples a pass holds, what they say and how long each is.

    Pictures and videos are told by their names alone.
    """
    said = [(source.digest, source.degrade) for source in mixture.sources]
    parts = (json.dumps(said).encode(), mixture.entries.tobytes(), mixture.sizes.tobytes())
    return hashlib.sha256(b"".join(parts)).hexdigest()
