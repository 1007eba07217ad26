"""Every kept case of the released code's behaviour."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "conformance.py"
_spec = importlib.util.spec_from_file_location("conformance_script", SCRIPT)
conformance = importlib.util.module_from_spec(_spec)
sys.modules["conformance_script"] = conformance
_spec.loader.exec_module(conformance)


@pytest.mark.parametrize(
    "case", list(conformance.cases()), ids=lambda c: f"{c.rule.name}-{c.number}"
)
def test_released_code_and_er_bench_agree(case):
    assert conformance.same(case.rule.judge(case.fields), case.fields["official"]), case.fields


def test_a_wrong_official_score_is_a_disagreement():
    case = next(conformance.cases())
    wrong = conformance.Case(case.rule, 1, {**case.fields, "official": 0.5})
    assert not wrong.agrees()
    assert "| 1 | 1 |" in conformance.table(iter([wrong]))


def test_every_case_file_belongs_to_a_rule():
    rules = {case.rule.name for case in conformance.cases()}
    assert {file.stem for file in conformance.CASES.glob("*.jsonl")} == rules


def test_the_page_is_the_one_the_script_writes():
    page = (SCRIPT.parent / "conformance.md").read_text(encoding="utf-8")
    assert {case.rule.benchmark for case in conformance.cases()} <= {
        line.split("|")[1].strip() for line in page.splitlines() if line.startswith("|")
    }
    assert page.splitlines()[-1].endswith("| 0 |")
