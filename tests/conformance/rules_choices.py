"""Rules of SAT, BLINK and MindCube: the released readers, and kits' where they part from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from er_bench.core.completion import Completion
from er_bench.core.registry import Registry, TaskSpec
from er_bench.core.rollout import Rollout
from er_bench.core.sample import Sample, Text
from er_bench.core.score import Scored
from er_bench.core.task import AnyTask
from er_bench.tasks.base.choice import Choice
from er_bench.tasks.mindcube.task import setting_of

Case = Mapping[str, Any]
NAMES = Registry()


def _open(name: str, protocol: str | None = None) -> AnyTask:
    return NAMES.open_task(TaskSpec(name, NAMES.mini_root(name), protocol))


def _judged(task: AnyTask, case: Case, *kits: str) -> dict[str, float | None]:
    """What the official reading and those of kits make of a case's response."""
    options = dict(zip("ABCDE", case["options"], strict=False))
    target = Choice(case["gold"], options)
    asked = (Text(case.get("prompt", "")),)
    sample = Sample(case.get("id", "0"), asked, target, "0", case.get("category", ""), "")
    rollout = Rollout.answered(Completion(case["response"]))
    verdicts = task.judge(sample, rollout, ("official", *kits))
    return {name: verdict.score for name, verdict in verdicts.items()}


def blink_readings(case: Case) -> dict[str, float | None]:
    return _judged(_open("blink"), case, "lmms_eval", "flageval", "physbrain")


def mindcube_readings(case: Case) -> dict[str, float | None]:
    return _judged(_open("mindcube"), case, "physbrain")


def sat_words(case: Case) -> dict[str, float | None]:
    return _judged(_open("sat"), case, "single_order")


def sat_letters(case: Case) -> dict[str, float | None]:
    return _judged(_open("sat", "lmms_eval"), case, "flageval", "mimo")


def blink_subsets(case: Case) -> dict[str, float]:
    scored = [Scored("0", name, s) for name, scores in case["scores"].items() for s in scores]
    readings = _open("blink", "all").readings
    return {name: readings[name].aggregate(scored).score for name in ("official", "item_mean")}


def mindcube_setting(case: Case) -> str:
    return setting_of(case["id"])


def sat_orders(case: Case) -> list[list[str]]:
    """The options of one row of the mini split in the orders in which they are asked."""
    asked = [s for s in _open("sat").samples() if s.cluster == case["row"]]
    return sorted([s.target.letter, *s.target.options.values()] for s in asked)


RULES = {
    "blink_readings": ("blink", "one bracketed letter; kits' letters beside it", blink_readings),
    "blink_subsets": ("blink", "mean of subsets; of questions", blink_subsets),
    "mindcube_readings": (
        "mindcube",
        "last letter before a full stop, then patterns; PhysBrain's beside it",
        mindcube_readings,
    ),
    "mindcube_setting": ("mindcube", "the setting that an id names", mindcube_setting),
    "sat_words": ("sat", "the right option's words; one order", sat_words),
    "sat_letters": ("sat", "protocol lmms_eval: letters as three kits read them", sat_letters),
    "sat_orders": ("sat", "each question in both orders", sat_orders),
}
