"""Rules of the planning benchmarks; their cases come from a folder of real material alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from er_bench.core.rollout import Step
from er_bench.reading.action_plan import json_to_action
from er_bench.scorers.goals import alfred_conditions
from er_bench.tasks.base.embodiedbench import planner_text

Case = Mapping[str, Any]


def eb_alfred_goals(case: Case) -> dict[str, int]:
    changed = case["state_changed_objects"]
    world = {"objects": case["objects"], "inventory": case["inventory"]}
    world |= dict.fromkeys(("heated", "cooled", "cleaned"), changed)
    met, total = alfred_conditions(case["task_type"], case["pddl_params"], world)
    return {"met": met, "total": total}


def eb_plan(case: Case) -> list[Any]:
    return list(json_to_action(case["text"], case["n_actions"]))


def eb_alfred_prompt(case: Case) -> str:
    history = [
        Step(name, number, valid=True, feedback=feedback, success=False, progress=0.0)
        for number, name, feedback in case["history"]
    ]
    return planner_text(
        case["system_prompt"], case["examples"], case["instruction"], case["actions"], history
    )


RULES = {
    "eb_alfred_goals": ("eb_alfred", "goal conditions met, and how many", eb_alfred_goals),
    "eb_plan": ("eb_alfred, eb_habitat", "action ids of the JSON plan", eb_plan),
    "eb_alfred_prompt": ("eb_alfred", "the planner's prompt", eb_alfred_prompt),
}

_INSTRUCTION = "Rinse off a ladle and move it to the table."
_HISTORY = (
    (64, "find a Ladle", "Last action executed successfully."),
    (150, "turn off the Microwave", "Last action is invalid. Turn on action failed"),
)
"""What the recorded prompts were made for."""


def real_cases(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rule and case of everything that the released planner and goals were run on."""
    alfred = folder / "eb_alfred"
    if not alfred.is_dir():
        return
    for row in _read(alfred / "goal_conditions_expected.json"):
        yield "eb_alfred_goals", row
    for row in _read(alfred / "plan_parsing_expected.json"):
        yield "eb_plan", {**row, "official": [row["action"], row["output_json_error"]]}
    constants = _read(alfred / "official_texts.json")["string_constants"]
    prompt = {
        "system_prompt": constants["alfred_system_prompt"],
        "examples": _read(alfred / "alfred_examples.json"),
        "instruction": _INSTRUCTION,
        "actions": _read(alfred / "global_actions_162.json"),
    }
    recorded = _read(alfred / "prompt_expected.json")
    for step, history in (("first_step", ()), ("third_step", _HISTORY)):
        yield "eb_alfred_prompt", {**prompt, "history": history, "official": recorded[step]}


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
