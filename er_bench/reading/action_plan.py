"""Readers of plans written as action ids: EmbodiedBench's two, and the best we can write.

EmbodiedBench `planner/vlm_planner.py` and `planner/remote_model.py`, commit b247936. Readers never
raise, whatever the text.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial, update_wrapper
from typing import Protocol

from pydantic import JsonValue

from er_bench.reading.thoughts import after_thinking

PLAN_KEY, ID_KEY, NAME_KEY = "executable_plan", "action_id", "action_name"


INVALID, EMPTY = -1, -2
"""What `json_to_action` returns in place of a list."""


class PlanStatus(StrEnum):
    """What a completion came to as a plan."""

    OK = "ok"
    EMPTY = "empty"
    """A plan without actions; it ends the episode."""
    INVALID = "invalid"
    """No readable plan, or one whose first action does not exist; it counts as one failure."""


@dataclass(frozen=True, slots=True)
class PlanReading:
    """A plan as read: action ids, all in range. `output_error` says the text was not a plan."""

    status: PlanStatus
    action_ids: tuple[int, ...] = ()
    output_error: bool = False


PlanReader = Callable[[str, Sequence[str]], PlanReading]
"""Reads a completion, given the names of the actions by id."""


class ReleasedPlanReader(Protocol):
    """A released reader, told whether the simulator takes true and false as 1 and 0."""

    def __call__(self, text: str, actions: Sequence[str], *, booleans: bool = False) -> PlanReading:
        """The plan of a completion."""


def json_to_action(text: str, n_actions: int) -> tuple[list[JsonValue] | int, int]:
    """The released reader's two results: ids (or INVALID, EMPTY) and 1 for an output error.

    The ids are whatever compared as numbers in [0, n): true and 2.0 pass. A later id out of range
    cuts the plan before it.
    """
    try:
        ids = [step[ID_KEY] for step in json.loads(text)[PLAN_KEY]]
        for position, action_id in enumerate(ids):
            if action_id >= n_actions or action_id < 0:
                return (ids[:position], 0) if position else (INVALID, 0)
    except (ValueError, TypeError, LookupError, RecursionError):
        return INVALID, 1
    return (ids, 0) if ids else (EMPTY, 0)


def read_strict(text: str, actions: Sequence[str], *, booleans: bool = False) -> PlanReading:
    """The plan by `json_to_action`.

    An id that is no whole number (2.0, NaN) makes the released simulator raise, which its loop
    retries for ever; here the plan ends before it. So it is with true and false, but where
    `booleans` says that the simulator takes them as 1 and 0.
    """
    ids, error = json_to_action(text, len(actions))
    if isinstance(ids, int):
        status = PlanStatus.EMPTY if ids == EMPTY else PlanStatus.INVALID
        return PlanReading(status, output_error=bool(error))
    whole: list[int] = []
    for action_id in ids:
        if not isinstance(action_id, int) or (isinstance(action_id, bool) and not booleans):
            break
        whole.append(int(action_id))
    if not whole:
        return PlanReading(PlanStatus.INVALID, output_error=True)
    return PlanReading(PlanStatus.OK, tuple(whole))


def read_repaired(text: str, actions: Sequence[str], *, booleans: bool = False) -> PlanReading:
    """The plan after the repairs of the released InternVL path (`_call_intern38b`).

    Every single quote becomes a double one, `"s ` becomes `'s ` again, code fences go. Valid JSON
    that holds an apostrophe is damaged by it.
    """
    text = text.replace("'", '"').replace('"s ', "'s ")
    text = text.replace("```json", "").replace("```", "")
    return read_strict(text, actions, booleans=booleans)


_LITERAL_LIMIT = 20_000


_ID = re.compile(r"""["']?action_id["']?\s*[:=]\s*["']?(-?\d{1,6})\b""")


def read_robust(text: str, actions: Sequence[str]) -> PlanReading:
    """The plan by the best reader: fences, single quotes, text around it, ids as strings, cut ends.

    The last plan after the thoughts counts; without the key of a plan, steps that stand side by
    side. A comma too many or too few does no harm. An id out of range is treated as the released
    reader treats it. An action without an id is found by its exact name, wherever the name stands.
    """
    said = _COMMA_LEFT_OUT.sub("},{", _COMMA_TOO_MANY.sub(r"\1", after_thinking(text)))
    found = (
        _last_plan(said) if PLAN_KEY in said else _bare_steps(said) or _bare_names(said, actions)
    )
    if found is None:
        return PlanReading(PlanStatus.INVALID, output_error=True)
    if not found:
        return PlanReading(PlanStatus.EMPTY)
    ids: list[int] = []
    for item in found:
        action_id = _as_id(item, actions)
        if action_id is None or not 0 <= action_id < len(actions):
            break
        ids.append(action_id)
    if ids:
        return PlanReading(PlanStatus.OK, tuple(ids))
    return PlanReading(PlanStatus.INVALID, output_error=_as_id(found[0], actions) is None)


_COMMA_TOO_MANY = re.compile(r",\s*+([\]}])")
_COMMA_LEFT_OUT = re.compile(r"\}\s++\{")
_STEP = re.compile(rf"""\{{\s*+["'](?:{ID_KEY}|{NAME_KEY})["'][^{{}}]*+(\}}?)""")
_LIST = re.compile(r"""\[\s*+["'][^\[\]{}]*+\]""")
_MOST_PLANS, _MOST_OBJECTS = 10, 20


def _bare_steps(text: str) -> list[JsonValue] | None:
    """The last run of steps without a plan around it, one a line or in a list: whole or none."""
    found = list(_STEP.finditer(text))
    first = len(found) - 1
    while first > 0 and not text[found[first - 1].end() : found[first].start()].strip(" \t\r\n,"):
        first -= 1
    steps = [_literal_or_json(step[0]) for step in found[max(first, 0) :]]
    if not steps or not all(isinstance(step, Mapping) for step in steps):
        return None
    before = text[: found[first].start()].rstrip()[-1:]
    after = text[found[-1].end() :].lstrip(" \t\r\n,")[:1]
    if before == "," or (before == "[") != (after == "]"):
        return None
    return [dict(step) for step in steps if isinstance(step, Mapping)]


def _bare_names(text: str, actions: Sequence[str]) -> list[JsonValue] | None:
    """The last list of texts, if all are names of actions."""
    lists = _LIST.findall(text)
    names = _literal_or_json(lists[-1]) if lists else None
    return names if isinstance(names, list) and names and set(names) <= set(actions) else None


def _literal_or_json(text: str) -> object:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return _literal(text)


def _last_plan(text: str) -> list[JsonValue] | None:
    """The steps after the last mention of a plan that has any: as an object, else as loose ids."""
    end = len(text)
    for _ in range(_MOST_PLANS):
        at = text.rfind(PLAN_KEY, 0, end)
        if at < 0:
            return None
        found = _object_around(text[:end], at)
        if found is None:
            found = _loose_ids(text[at:end])
        if found is not None:
            return found
        end = at
    return None


def _object_around(text: str, at: int) -> list[JsonValue] | None:
    """The plan of the JSON or Python object that begins before `at` and ends behind it."""
    decoder = json.JSONDecoder(strict=False)
    start = at
    for _ in range(_MOST_OBJECTS):
        start = text.rfind("{", 0, start)
        if start < 0:
            return None
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            value, end = _literal(text[start:]), len(text)
        if end > at and isinstance(value, Mapping) and isinstance(value.get(PLAN_KEY), list):
            return list(value[PLAN_KEY])
    return None


def _literal(text: str) -> object:
    end = text.rfind("}") + 1
    if not 0 < end <= _LITERAL_LIMIT:
        return None
    try:
        return ast.literal_eval(text[:end])
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _loose_ids(text: str) -> list[JsonValue] | None:
    """Ids in the text of a plan that is broken."""
    ids: list[JsonValue] = [int(number) for number in _ID.findall(text)]
    return ids or None


def _as_id(item: object, actions: Sequence[str]) -> int | None:
    name: object = None
    if isinstance(item, Mapping):
        name, item = item.get(NAME_KEY), item.get(ID_KEY)
    if isinstance(item, str) and re.fullmatch(r"\s*-?\d{1,6}\s*", item):
        return int(item)
    if isinstance(item, float) and item.is_integer():
        return int(item)
    if isinstance(item, int) and not isinstance(item, bool):
        return item
    for said in (item, name):
        if isinstance(said, str) and said.strip() in actions:
            return actions.index(said.strip())
    return None


RELEASED: dict[str, ReleasedPlanReader] = {"strict": read_strict, "repaired": read_repaired}
READERS: dict[str, PlanReader] = {**RELEASED, "robust": read_robust}
READERS_WITH_BOOLEANS: dict[str, PlanReader] = {
    **{name: update_wrapper(partial(read, booleans=True), read) for name, read in RELEASED.items()},
    "robust": read_robust,
}
"""The same where true and false are ids."""
