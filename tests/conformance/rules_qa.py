"""Rules of the question-answering and plan benchmarks, and their cases in a folder of real ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from er_bench.core.answer import Answer, Plan
from er_bench.core.registry import Registry
from er_bench.core.score import Scored
from er_bench.reading import letter, skill_plan
from er_bench.reading import neighbour_letters as others
from er_bench.reading.neighbour_numbers import read_lmms_number, read_spatial_number
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


def letter_of(read: Callable[[str], Answer]) -> Callable[[Case], float]:
    """Whether a neighbour's reader finds the letter."""
    return lambda case: _right(read(case["response"]), case)


def number_of(read: Callable[[str], Answer]) -> Callable[[Case], float]:
    """What a neighbour's reader of numbers scores."""

    def judge(case: Case) -> float:
        value = read(case["response"]).value
        if not isinstance(value, float):
            return 0.0
        return number.mean_relative_accuracy(value, float(case["gold"]))

    return judge


RULES = {
    "erqa_exact": ("erqa", "whole answer equals the letter", erqa_exact),
    "egoplan2_capital": ("egoplan2", "first capital A-D after prefixes", egoplan2_capital),
    "vsibench_letter": ("vsibench", "first word is the letter", vsibench_letter),
    "vsibench_number": ("vsibench", "first word as a number, scored", vsibench_number),
    "vsibench_mra": ("vsibench", "mean relative accuracy in doubles", vsibench_mra),
    "vsibench_aggregate": ("vsibench", "mean of tasks, directions merged", vsibench_aggregate),
    "mmsibench_backtick": ("mmsibench", "backticks, then a lone capital", mmsibench_backtick),
    "erqa_lmms_eval": ("erqa", "lmms-eval 0.7.3's reader", letter_of(others.read_lmms_choice)),
    "erqa_lmms_eval_0_7_2": ("erqa", "lmms-eval 0.7.2's", letter_of(others.read_opening_letter)),
    "erqa_vlmevalkit": ("erqa", "VLMEvalKit's", letter_of(others.read_exact)),
    "erqa_easi": ("erqa", "EASI's ERQABench", letter_of(others.read_spatial_choice)),
    "erqa_flageval": ("erqa", "FlagEvalMM's", letter_of(others.read_flageval_choice)),
    "egoplan2_lmms_eval": ("egoplan2", "lmms-eval's", letter_of(others.read_lmms_egoplan2)),
    "mmsibench_lmms_eval": ("mmsibench", "lmms-eval's", letter_of(others.read_lmms_mmsi)),
    "vsibench_lmms_eval": ("vsibench", "lmms-eval's numbers", number_of(read_lmms_number)),
    "vsibench_vlmevalkit": ("vsibench", "VLMEvalKit's numbers", number_of(read_spatial_number)),
    "vlabench_plan": ("vlabench", "skills, entities, both, exact, totals", vlabench_plan),
    "vlabench_fence": ("vlabench", "first ```json fence", vlabench_fence),
}

_MCQ = {
    "vsi_official": "vsibench_letter",
    "erqa_official": "erqa_exact",
    "egoplan2_official": "egoplan2_capital",
    "mmsi_official": "mmsibench_backtick",
    "erqa_lmms_0_7_3": "erqa_lmms_eval",
    "erqa_lmms_0_7_2": "erqa_lmms_eval_0_7_2",
    "erqa_vlmevalkit_active": "erqa_vlmevalkit",
    "spatial_bench_vlmevalkit": "erqa_easi",
    "flagevalmm": "erqa_flageval",
    "egoplan2_lmms": "egoplan2_lmms_eval",
    "mmsi_lmms": "mmsibench_lmms_eval",
}
_NUMBERS = {
    "official": "vsibench_number",
    "lmms_eval_0_7_3": "vsibench_lmms_eval",
    "vlmevalkit": "vsibench_vlmevalkit",
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
        for column, rule in _NUMBERS.items():
            yield rule, {**row, "official": row[column]}
    for row in _lines(folder / "vlabench" / "scorer_expected.jsonl"):
        official = {ours: row["official"][theirs] / 100 for ours, theirs in _PLAN.items()}
        star = row["dependency"] == "Seq-independent"
        yield "vlabench_plan", {**row, "official": official, "star": star}


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
