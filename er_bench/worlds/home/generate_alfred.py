"""Episodes of `home_alfred`, made from a seed; `episode_proof.py` proves each before it is kept."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from er_bench.worlds.home import episode_proof
from er_bench.worlds.home.alfred import AlfredSkills
from er_bench.worlds.home.descriptions import FRAMES
from er_bench.worlds.home.goals_alfred import (
    CLEAN,
    COOL,
    HEAT,
    SIMPLE,
    Draft,
    Unfit,
    Words,
    beside,
    blue_door,
    by_description,
    carry,
    carry_in,
    clutter,
    furnished,
    look_by_lamp,
    nearest,
    open_one,
    outermost,
    plainly,
    red_one,
    treat,
    two_things,
)
from er_bench.worlds.home.oracle_alfred import Planner
from er_bench.worlds.home.skills import start
from er_bench.worlds.home.world import room_to_json, thing_to_json

SUBSETS = (
    "base",
    "common_sense",
    "complex_instruction",
    "spatial",
    "visual_appearance",
    "long_horizon",
)
PER_SUBSET = 20


def _any_type(draft: Draft, index: int, words: Words) -> None:
    makers: tuple[Callable[[], None], ...] = (
        lambda: carry(draft, words),
        lambda: treat(draft, CLEAN, words),
        lambda: two_things(draft, words),
        lambda: carry_in(draft, words),
        lambda: look_by_lamp(draft, words),
        lambda: carry(draft, words),
        lambda: treat(draft, HEAT, words),
        lambda: treat(draft, COOL, words),
    )
    makers[index % len(makers)]()


_COMMON_SENSE_TYPES = (0, 1, 4, 5, 6, 7)
_ROOM_OF = ("any", "kitchen", "any", "dry", "lit", "any", "kitchen", "kitchen")


def _room_for(subset: str, index: int, rng: random.Random) -> str:
    if subset == "common_sense":
        index = _COMMON_SENSE_TYPES[index % len(_COMMON_SENSE_TYPES)]
    if subset == "long_horizon":
        return "kitchen"
    if subset in ("spatial", "visual_appearance"):
        return rng.choice(("kitchen", "kitchen", "living", "bedroom", "bathroom"))
    need = _ROOM_OF[index % len(_ROOM_OF)]
    pools = {
        "any": ("kitchen", "living", "bedroom", "bathroom"),
        "dry": ("kitchen", "living", "bedroom"),
        "lit": ("living", "bedroom"),
    }
    return rng.choice(pools.get(need, (need,)))


def _compose(draft: Draft, subset: str, index: int) -> None:
    match subset:
        case "base":
            _any_type(draft, index, plainly)
        case "common_sense":
            _any_type(draft, _COMMON_SENSE_TYPES[index % len(_COMMON_SENSE_TYPES)], by_description)
        case "complex_instruction":
            _any_type(draft, index, plainly)
            draft.instruction = FRAMES[index % len(FRAMES)].format(draft.instruction)
        case "spatial":
            (beside, outermost, nearest, beside)[index % 4](draft)
        case "visual_appearance":
            makers = (
                lambda: red_one(draft),
                lambda: blue_door(draft),
                lambda: open_one(draft),
                lambda: red_one(draft, CLEAN if draft.room_type == "kitchen" else SIMPLE),
            )
            makers[index % 4]()
        case _:
            how = (HEAT, COOL, HEAT)[index % 3]
            treat(draft, how, plainly, sliced=index % 4 != 3, hidden=1.0 if index % 4 == 3 else 0.3)


def episode(subset: str, index: int, seed: int) -> dict[str, Any]:
    """One proved episode, as it is shipped. Raises RuntimeError when no draft will do."""
    for attempt in range(200):
        rng = random.Random(f"{seed}/{subset}/{index}/{attempt}")
        try:
            draft = furnished(_room_for(subset, index, rng), rng)
            _compose(draft, subset, index)
            clutter(draft, 9, _named(draft))
            return _proved(draft, subset, index)
        except (Unfit, LookupError):
            continue
    raise RuntimeError(f"no draft of {subset} {index} can be proved")


def _named(draft: Draft) -> tuple[str, ...]:
    """Kinds that clutter must not have: what the goal or the words are about."""
    kinds = {t.kind.name for t in draft.world.things.values() if t.kind.pickupable}
    if draft.goal["object_sliced"]:
        kinds |= {"ButterKnife"}
    alike = {"Pen": "Pencil", "Knife": "ButterKnife", "Pot": "Potato"}
    kinds |= {alike[k] for k in kinds & set(alike)}
    return tuple(kinds | {k for k in alike if alike[k] in kinds})


def _proved(draft: Draft, subset: str, index: int) -> dict[str, Any]:
    """The episode as JSON. Raises Unfit when a proof fails."""
    goal = draft.goal
    spec: dict[str, Any] = {
        "id": f"{subset}_{index:02d}",
        "subset": subset,
        "scene": draft.scene,
        "skills": "alfred",
        "instruction": draft.instruction,
        "goal": goal,
        "room": room_to_json(draft.world.room),
        "things": [thing_to_json(t) for t in draft.world.things.values()],
    }

    def plan_for(wanted: dict[str, Any]) -> list[str]:
        skills = start(spec)
        assert isinstance(skills, AlfredSkills)
        return Planner(skills).plan(wanted)

    plan = plan_for(goal)
    keys = [k for k, name in enumerate(plan) if name.startswith(draft.key)]
    spec["plan"] = plan
    spec["key_step"] = keys[0] if goal["task_type"] == COOL else keys[-1]
    spec["mistaken_plans"] = [plan_for(goal | other) for other in draft.others]
    fault = episode_proof.fault(spec)
    if fault:
        raise Unfit(fault)
    return spec


def generate(seed: int, per_subset: int = PER_SUBSET) -> list[dict[str, Any]]:
    """All episodes, subset by subset."""
    return [episode(subset, k, seed) for subset in SUBSETS for k in range(per_subset)]
