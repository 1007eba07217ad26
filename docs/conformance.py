"""Write `docs/conformance.md`, which shows whether er-bench scores as released code does.

    python docs/conformance.py [--real DIR]

To add cases, put a file `<rule>.jsonl` into `tests/conformance/`: one JSON object a line with the
rule's inputs, what the released code gave as `official`, and where that was seen as `source`.
To add rules, put a file `rules_<name>.py` beside them with

    RULES = {rule: (benchmark, what it does, function of a case)}

whose function returns what er-bench makes of the case; numbers agree within 1e-9, anything else
when equal. A function `real_cases(folder)` there yields `(rule, case)` pairs for `--real`. Every
case kept here is a test (`tests/conformance/test_conformance.py`) and a count in the table.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests" / "conformance"
REAL_SOURCE = "the released code, run beforehand (`--real`)"


@dataclass(frozen=True)
class Rule:
    """One rule of one benchmark."""

    name: str
    benchmark: str
    what: str
    judge: Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Case:
    """One input, and what the released code made of it."""

    rule: Rule
    number: int
    fields: Mapping[str, Any]

    def agrees(self) -> bool:
        """Whether er-bench makes the same of it."""
        return same(self.rule.judge(self.fields), self.fields["official"])


def same(ours: Any, official: Any) -> bool:
    """Equality, numbers within 1e-9."""
    if isinstance(official, Mapping):
        return ours.keys() == official.keys() and all(same(ours[k], official[k]) for k in official)
    if isinstance(official, list) and isinstance(ours, list):
        return len(ours) == len(official) and all(map(same, ours, official))
    if isinstance(official, (int, float)) and isinstance(ours, (int, float)):
        return math.isclose(ours, official, rel_tol=0, abs_tol=1e-9)
    return bool(ours == official)


def modules() -> list[ModuleType]:
    """The rule files."""
    found = []
    for file in sorted(CASES.glob("rules_*.py")):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(module)
    return found


def cases(real: Path | None = None) -> Iterator[Case]:
    """Every case that is kept here, then those of a folder of real material."""
    for module in modules():
        rules = {name: Rule(name, *entry) for name, entry in module.RULES.items()}
        for rule in rules.values():
            for number, line in enumerate(kept(rule), 1):
                yield Case(rule, number, json.loads(line))
        if real is not None and hasattr(module, "real_cases"):
            for number, (name, fields) in enumerate(module.real_cases(real), 1):
                yield Case(rules[name], number, {**fields, "source": REAL_SOURCE})


def kept(rule: Rule) -> list[str]:
    """The lines of a rule's case file; a rule may have cases in `--real` alone."""
    file = CASES / f"{rule.name}.jsonl"
    return file.read_text(encoding="utf-8").rstrip("\n").split("\n") if file.is_file() else []


def table(all_cases: Iterator[Case]) -> str:
    """The page, Markdown."""
    counts: dict[tuple[str, str, str], list[int]] = {}
    for case in all_cases:
        key = (case.rule.benchmark, case.rule.what, case.fields["source"])
        seen = counts.setdefault(key, [0, 0])
        seen[0] += 1
        seen[1] += not case.agrees()
    lines = [
        "# Conformance",
        "",
        "How er-bench's official readers and scorers compare with what the benchmarks' released",
        "code gives for the same input. Every case kept in `tests/conformance/` is a test. Made by",
        "`python docs/conformance.py --real DIR`; without it, of the kept cases alone.",
        "",
        "| benchmark | rule | source | cases | disagreements |",
        "|---|---|---|---:|---:|",
    ]
    for key in sorted(counts):
        cells = [cell.replace("|", "\\|") for cell in key]
        lines.append(f"| {' | '.join(cells)} | {counts[key][0]} | {counts[key][1]} |")
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    return "\n".join([*lines, f"| **all** | | | {total[0]} | {total[1]} |", ""])


def main() -> None:
    """Write the page and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="a folder of real material to judge as well")
    page = table(cases(parser.parse_args().real))
    (ROOT / "docs" / "conformance.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
