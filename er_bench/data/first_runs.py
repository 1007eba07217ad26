"""Run folders of er-bench before records had a schema, read as today's.

What those records did not hold (question, options, truth, prompt, media) stays empty;
`er-bench score --run OLD --out NEW` fills all but the prompts in from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from er_bench.core.answer import Answer, Boxes, Plan, Points, Status, Value
from er_bench.core.completion import Completion
from er_bench.core.geometry import Unit
from er_bench.core.record import Record, RecordStatus
from er_bench.core.rollout import EpisodeStart, Rollout, Step, Turn
from er_bench.core.score import Verdict

OldJson = Mapping[str, Any]
"""An object of the old files, whose shape nothing had checked."""


def first_manifest(old: OldJson) -> dict[str, object]:
    """The manifest in today's fields."""
    info = ("created", "er_bench_version", "git_sha", "command", "packages", "hardware")
    rest = ("model", "identity", "options", "tasks")
    return {"info": {name: old[name] for name in info}, **{name: old[name] for name in rest}}


def first_record(old: OldJson) -> Record:
    """The record in today's fields. Raises LookupError, TypeError, ValueError."""
    return Record(
        task=old["task"],
        id=old["id"],
        repeat=old["repeat"],
        cluster=old["cluster"],
        category=old["category"],
        status=RecordStatus(old["status"]),
        error=old.get("error", ""),
        rollout=_rollout(old),
        judgement=_judgement(old),
        seconds=old["seconds"],
    )


def _rollout(old: OldJson) -> Rollout:
    steps: list[OldJson] = old.get("steps", [])
    done: dict[int, list[Step]] = {}
    for step in (s for s in steps if s["event"] == "step"):
        done.setdefault(step["call"], []).append(_step(step))
    turns = tuple(
        Turn(_completion(c), old["prompt_sha256"], steps=tuple(done.get(number, ())))
        for number, c in enumerate(old["completions"])
    )
    start = next((s for s in steps if s["event"] == "reset"), None)
    end: OldJson = next((s for s in steps if s["event"] == "end"), {})
    if start is None:
        return Rollout(turns)
    begun = EpisodeStart(
        start["instruction"],
        tuple(start["actions"]),
        start.get("simulator", ""),
        start.get("episode_fingerprint", ""),
    )
    return Rollout(turns, begun, end.get("ending", ""), end.get("elapsed_s"))


def _completion(old: OldJson) -> Completion:
    sizes = tuple((int(w), int(h)) for w, h in old.get("image_sizes", ()))
    return Completion(**{**old, "image_sizes": sizes})


def _step(old: OldJson) -> Step:
    conditions = old.get("goal_conditions")
    return Step(
        action=old["action"],
        action_id=old["action_id"],
        valid=old["valid"],
        feedback=old["feedback"],
        success=old["success"],
        progress=old["progress"],
        goal_conditions=conditions and (conditions[0], conditions[1]),
        reward=old.get("reward"),
        done=old["done"],
        sim_seconds=old.get("sim_seconds", 0.0),
    )


def _judgement(old: OldJson) -> dict[str, Verdict]:
    score, answers = old["score"], old["answer"]
    if score is None:
        return {}
    parts: OldJson = score["parts"]
    own = {k: v for k, v in parts.items() if not k.startswith("robust_")}
    robust = {k.removeprefix("robust_"): v for k, v in parts.items() if k.startswith("robust_")}
    return {
        "official": Verdict(_answer(answers["official"]), score["official"], own),
        "robust": Verdict(_answer(answers["robust"]), score["robust"], {**own, **robust}),
    }


def _answer(old: OldJson) -> Answer:
    return Answer(_value(old["value"]), Status(old["status"]), old.get("note", ""))


def _value(old: Any) -> Value | None:
    if not isinstance(old, dict):
        return None if old is None else old if isinstance(old, str) else float(old)
    if "plan" in old:
        return Plan(tuple(old["plan"]))
    unit = Unit(old["unit"])
    if "points_xy" in old:
        return Points(tuple((x, y) for x, y in old["points_xy"]), unit)
    return Boxes(tuple((a, b, c, d) for a, b, c, d in old["boxes_xyxy"]), unit)
