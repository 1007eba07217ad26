"""An export format: the wrong answers alone, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from er_bench.report.exports.finished import FinishedRun


def wrong_answers(run: FinishedRun, out: Path) -> Iterable[Path]:
    """`wrong.md`, a line a sample whose official score is below 1."""
    lines = ["| sample | question | truth | answer |", "|---|---|---|---|"]
    for record in run.records():
        verdict = record.judgement.get("official")
        if verdict is not None and (verdict.score or 0) < 1:
            said = record.rollout.completion.text
            lines.append(f"| {record.id} | {record.question} | {record.truth.text} | {said} |")
    path = out / "wrong.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    yield path
