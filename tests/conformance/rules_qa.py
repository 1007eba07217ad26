"""Rules of the question-answering and plan benchmarks, and their cases in a folder of real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from er_bench.core.answer import Answer, Plan
from er_bench.core.registry import Registry
from er_bench.core.score import Scored
from er_bench.reading import letter, skill_plan
from er_bench.reading.number import read_first_word
from er_bench.scorers import number, plan

Case = Mapping[str, Any]


def _right(answer: Answer, case: Case) -> float:
    return float(answer.value == case["gold"])


def erqa_exact(case: Case) -> float:
    return _right(letter.read_whole(case["response"]), case)


def egoplan2_capital(case: Case) -> Any:
    answer = letter.read_first_capital(case["response"])
    return _right(answer, case) if "gold" in case else answer.value


def vsibench_letter(case: Case) -> float:
    return _right(letter.read_first_word(case["response"]), case)


def vsibench_number(case: Case) -> float:
    value = read_first_word(case["response"]).value
    if not isinstance(value, float):
        return 0.0
    return number.mean_relative_accuracy(value, float(case["gold"]))


def vsibench_mra(case: Case) -> float:
    return number.mean_relative_accuracy(case["prediction"], case["gold"])


def vsibench_aggregate(case: Case) -> float:
    task = Registry().open_mini("vsibench")
    scored = [
        Scored("video", category, value)
        for category, values in case["scores"].items()
        for value in values
    ]
    return task.readings["official"].aggregate(scored).score


def mmsibench_backtick(case: Case) -> Any:
    answer = letter.read_backticked(case["response"])
    return _right(answer, case) if "gold" in case else answer.value


def vlabench_plan(case: Case) -> dict[str, float]:
    parts = plan.score_plan(case["ground_truth"], case["prediction"], star=case["star"]).parts()
    return {name: parts[name] for name in case["official"]}


def vlabench_fence(case: Case) -> Any:
    value = skill_plan.read_fenced_plan(case["response"]).value
    return list(value.steps) if isinstance(value, Plan) else None


RULES = {
    "erqa_exact": ("erqa", "whole answer equals the letter", erqa_exact),
    "egoplan2_capital": ("egoplan2", "first capital A-D after prefixes", egoplan2_capital),
    "vsibench_letter": ("vsibench", "first word is the letter", vsibench_letter),
    "vsibench_number": ("vsibench", "first word as a number, scored", vsibench_number),
    "vsibench_mra": ("vsibench", "mean relative accuracy in doubles", vsibench_mra),
    "vsibench_aggregate": ("vsibench", "mean of tasks, directions merged", vsibench_aggregate),
    "mmsibench_backtick": ("mmsibench", "backticks, then a lone capital", mmsibench_backtick),
    "vlabench_plan": ("vlabench", "skills, entities, both, exact, totals", vlabench_plan),
    "vlabench_fence": ("vlabench", "first ```json fence", vlabench_fence),
}

_MCQ = {
    "vsi_official": "vsibench_letter",
    "erqa_official": "erqa_exact",
    "egoplan2_official": "egoplan2_capital",
    "mmsi_official": "mmsibench_backtick",
}
_PLAN = {
    "skill": "skill_match_score",
    "entity": "entity_match_score",
    "skill_with_entity": "skill_with_entity_match_score",
    "exact": "exact_match_score",
    "total": "paper_weighted_score",
    "released_total": "total_score",
}


def real_cases(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rule and case of every official score in a folder of real material."""
    for row in _lines(folder / "qa_scoring" / "mcq.jsonl"):
        for column, rule in _MCQ.items():
            yield rule, {**row, "official": row[column]}
    for row in _lines(folder / "qa_scoring" / "vsi_numeric.jsonl"):
        yield "vsibench_number", row
    for row in _lines(folder / "vlabench" / "scorer_expected.jsonl"):
        official = {ours: row["official"][theirs] / 100 for ours, theirs in _PLAN.items()}
        star = row["dependency"] == "Seq-independent"
        yield "vlabench_plan", {**row, "official": official, "star": star}


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
