"""A strict reader of EmbSpatial-Bench's letters, since the authors released none."""

from __future__ import annotations

import re

from er_bench.core.answer import Answer

_OPENING = re.compile(r"\s*+\(?([A-D])(?:[).:,]|\s*\Z)")


def read_opening_option(text: str) -> Answer:
    """The capital A-D that opens the answer and stands alone: `B`, `(B)`, `B.`, `B: left`."""
    found = _OPENING.match(text)
    return Answer(found[1]) if found else Answer.unparsed("no option's letter opens the answer")
