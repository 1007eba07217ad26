"""Hostile replies of a chat server: `perf/endurance/replies.py [COUNT]` (20,000 by default).

COUNT damaged bodies are read as the client reads them; what is an answer is put into a record,
written and read again. Prints one line; exit 1 on an exception outside the error tree, on a message
of more than a line, or on an answer whose fields are of another type.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from er_bench.models.chat_reply import read_reply
from tests.models.hostile_replies import assert_sound, damaged
from tests.tally import Tally, arguments


def read(content: bytes) -> None:
    """Read a reply and hold its answer to be sound."""
    try:
        assert_sound(read_reply(content), content)
    except AssertionError as error:
        raise TypeError(f"an answer that is none: {error!s:.100}") from error


def main() -> None:
    """Read, print, and exit."""
    args, tally = arguments(__doc__), Tally()
    rng = random.Random(args.seed)
    for _ in range(args.count):
        content = damaged(rng)
        tally.attempt("reply", lambda content=content: read(content))
    tally.close(f"{args.count} replies")


if __name__ == "__main__":
    main()
