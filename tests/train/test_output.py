"""What a run of training has left in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from er_bench.train.methods.sft.mixture_identity import n_skipped


def test_samples_left_out_are_counted_by_line_whatever_the_reason_says(tmp_path: Path) -> None:
    file = tmp_path / "skipped.jsonl"
    assert n_skipped(file) == 0
    rows = [{"place": place, "why": "a\u2028b\x85c\x1ed"} for place in (1, 2, 2)]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    with file.open("a") as lines:
        lines.write('{"place": 3, "wh')  # cut off by a kill
    assert n_skipped(file) == 2
