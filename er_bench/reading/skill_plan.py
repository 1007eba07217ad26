"""Readers of plans written as skill calls: VLABench's released one, and the best we can write.

A step is `{"name": skill, "params": {"target_entity_name": tag, "target_container_name": tag}}`.
Source: OpenMOSS/VLABench, commit 47b04bf, `VLABench/evaluation/evaluator/vlm.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NoReturn

from pydantic import JsonValue

from er_bench.core.answer import Answer, Plan
from er_bench.reading.thoughts import after_thinking

Step = dict[str, JsonValue]


def read_fenced_plan(text: str) -> Answer:
    """The JSON in the first ```json fence; anything else is a format error.

    Released code: `text.split("```json")[1].split("```")[0]`, then `json.loads`.
    """
    pieces = text.split("```json")
    if len(pieces) < 2:
        return Answer.unparsed("there is no ```json fence")
    try:
        steps = json.loads(pieces[1].split("```")[0], parse_constant=_refuse)
    except (ValueError, RecursionError):
        return Answer.unparsed("the ```json fence holds no JSON")
    if not isinstance(steps, list):
        return Answer.unparsed("the JSON is no list")
    return Answer(Plan(tuple(steps)))


_START = re.compile(r"[\[{](?=\s*+[\"{\]])")


_COMMA_TOO_MANY = re.compile(r",\s*+([\]}])")
_MAX_STARTS = 400


_WRAPPERS = ("skill_sequence", "plan", "sequence", "steps", "skills")


def read_plan(text: str) -> Answer:
    """The last list of steps in an answer: fenced or bare, wrapped in an object or not.

    A list with a comma too many, one in Python's quotes, and steps side by side are read whole; a
    list that lost steps is none. Names are brought to the skills' spelling, tags written as text to
    numbers; a step without `params` has none.
    """
    text = _COMMA_TOO_MANY.sub(r"\1", after_thinking(text))
    text = text if '"' in text else text.replace("'", '"')
    decoder = json.JSONDecoder(parse_constant=_refuse)
    plan: tuple[Step, ...] | None = None
    end = run_start = run_end = 0
    for number, match in enumerate(_START.finditer(text)):
        if number >= _MAX_STARTS:
            break
        if match.start() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if (steps := _steps(value)) is None:
            continue
        if _step(value) is None:
            plan, run_end = steps, 0
            continue
        joined = run_end and not text[run_end : match.start()].strip(" \t\r\n,")
        plan = (*(plan or ()), *steps) if joined else steps
        run_start, run_end = run_start if joined else match.start(), end
    if run_end and not _whole(text, run_start, run_end):
        return Answer.unparsed("the list of steps is broken")
    return Answer(Plan(plan)) if plan is not None else Answer.unparsed("there is no list of steps")


def _whole(text: str, start: int, end: int) -> bool:
    """Whether steps that stand side by side are all of a list: `[` before them wants `]` after."""
    before = text[:start].rstrip()[-1:]
    after = text[end:].lstrip(" \t\r\n,")[:1]
    return before != "," and (before == "[") == (after == "]")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _steps(value: JsonValue) -> tuple[Step, ...] | None:
    if isinstance(value, dict):
        wrapped = [value[key] for key in _WRAPPERS if isinstance(value.get(key), list)]
        value = wrapped[0] if wrapped else [value]
    steps = [_step(item) for item in value] if isinstance(value, list) else []
    whole = [step for step in steps if step is not None]
    return tuple(whole) if len(whole) == len(steps) and (steps or value == []) else None


def _step(item: JsonValue) -> Step | None:
    said = item.get("name") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(said, str):
        return None
    params = item.get("params")
    name = re.sub(r"[\s-]+", "_", said.strip().lower())
    return {"name": name, "params": _tags(params if isinstance(params, dict) else {})}


def _tags(params: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {role: _tag(tag) for role, tag in params.items() if isinstance(tag, (str, int, float))}


def _tag(tag: str | float) -> str | float:
    return int(tag) if isinstance(tag, str) and re.fullmatch(r"\s*\d{1,9}\s*", tag) else tag
