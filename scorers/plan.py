"""Plans as sequences of skill calls: the four matches of VLABench.

A step is `{"name": skill, "params": {"target_entity_name": tag, "target_container_name": tag}}`.
Source: OpenMOSS/VLABench, commit 47b04bf, `VLABench/evaluation/utils.py` and
`evaluation/evaluator/vlm.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields

from er_bench.core.json_types import JsonObject

Step = JsonObject
"""A skill call."""
_TARGETS = ("target_entity_name", "target_container_name")

SUBTASKS: tuple[tuple[str, ...], ...] = (
    ("pick", "place"),
    ("pick", "insert"),
    ("pick", "pour", "place"),
    ("pick", "pour"),
    ("pick", "pull"),
    ("pick", "lift"),
    ("pick", "push", "pull"),
    ("pick", "push", "place"),
    ("pick", "push"),
    ("pick", "open_door"),
    ("press",),
)
"""Skills that make a subtask, in the order in which they are tried; the first that fits wins."""
_BY_FIRST = {first: [s for s in SUBTASKS if s[0] == first] for first in {s[0] for s in SUBTASKS}}


@dataclass(frozen=True, slots=True)
class PlanScore:
    """How a plan matches the truth; fractions."""

    skill: float = 0.0
    """Recall of skill names."""
    entity: float = 0.0
    """Recall of parameters, each with its role."""
    skill_with_entity: float = 0.0
    """Recall of skills with their parameters."""
    exact: float = 0.0
    """Share of the truth's subtasks found in their place."""
    total: float = 0.0
    """The paper's weighting: 0.4, 0.4, 0.1, 0.1 (arXiv 2412.18194, eq. 6)."""
    released_total: float = 0.0
    """The released code's sum, which leaves out the last two: at most 0.8."""
    over_generation: float = 0.0
    """Share of the plan's steps that are no step of the truth. The recalls above do not see it."""

    def parts(self) -> dict[str, float]:
        """The numbers by name."""
        return {name: getattr(self, name) for name in _PARTS}


_PARTS = tuple(part.name for part in fields(PlanScore))


def score_plan(truth: Sequence[Step], plan: object, *, star: bool = False) -> PlanScore:
    """Match a plan with the truth. A plan or truth that released code fails on scores 0.

    Args:
        truth: the steps of the demonstration.
        plan: what was read; anything but a list of steps scores 0.
        star: whether subtasks may come in any order (released name: `Seq-independent`).
    """
    try:
        return _score(list(truth), list(plan), star)  # type: ignore[call-overload]
    except (TypeError, KeyError, AttributeError, ZeroDivisionError):
        return PlanScore()


def _score(truth: list[Step], plan: list[Step], star: bool) -> PlanScore:
    skill = _recall([s["name"] for s in truth], [s["name"] for s in plan])
    entity = _recall(_parameters(truth), _parameters(plan))
    calls, plan_calls = [_call(s) for s in truth], [_call(s) for s in plan]
    call = _recall(calls, plan_calls)
    exact = _exact(_subtasks(truth), _subtasks(plan), star)
    released = 0.4 * skill + 0.4 * entity
    known = _common(calls, plan_calls)
    return PlanScore(
        skill=skill,
        entity=entity,
        skill_with_entity=call,
        exact=exact,
        total=released + 0.1 * call + 0.1 * exact,
        released_total=released,
        over_generation=1 - known / len(plan) if plan else 0.0,
    )


def _recall(truth: list[Hashable], found: list[Hashable]) -> float:
    if not truth:
        return 0.0
    return _common(truth, found) / len(truth)


def _common(truth: list[Hashable], found: list[Hashable]) -> int:
    """How many of the truth's are found, each as often as both have it."""
    left = Counter(truth)
    n = 0
    for one in found:
        if left.get(one, 0):
            left[one] -= 1
            n += 1
    return n


def _parameters(steps: list[Step]) -> list[Hashable]:
    given = [(role, step["params"].get(role)) for step in steps for role in _TARGETS]
    return [(role, tag) for role, tag in given if tag is not None]


def _call(step: Step) -> Hashable:
    return step["name"], *(step["params"].get(role) for role in _TARGETS)


def _subtasks(steps: list[Step]) -> list[Hashable]:
    """Each subtask as its skills, its last entity and its last container; other steps skipped."""
    names = tuple(step["name"] for step in steps)
    found: list[Hashable] = []
    at, of_first = 0, _BY_FIRST.get
    while at < len(steps):
        skills = next((s for s in of_first(names[at], ()) if names[at : at + len(s)] == s), None)
        if skills is None:
            at += 1
            continue
        part = steps[at : at + len(skills)]
        tags = [[s["params"].get(role) for s in part] for role in _TARGETS]
        found.append(
            (skills, *(next((t for t in reversed(r) if t is not None), None) for r in tags))
        )
        at += len(skills)
    return found


def _exact(truth: list[Hashable], plan: list[Hashable], star: bool) -> float:
    """Subtasks matched layer by layer in the dependency graph, over those of the truth.

    In a star every subtask is in one layer. In a chain each is a layer of its own, and its
    predecessor must match as well. Raises ZeroDivisionError for a truth without subtasks.
    """
    if star:
        return _common(truth, plan) / len(truth)
    same = [a == b for a, b in zip(truth, plan, strict=False)]
    return sum(here and (k == 0 or same[k - 1]) for k, here in enumerate(same)) / len(truth)


# --- reading ----------------------------------------------------------------------------------
