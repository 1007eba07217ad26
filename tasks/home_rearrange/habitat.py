"""EB-Habitat's episodes, played in the built-in home.

Taken from the files: instruction, goal, start predicates, every object's name, the receptacle it
starts on and where on it. A receptacle stands where the objects on it stand, over all episodes of
its scene. This home's own: the furniture's size and the way it faces, the refrigerator beside the
left counter, the chair beside table 1, and the drawers in the counters, none of which the files
place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from er_bench.core.json_types import JsonObject
from er_bench.core.sample import Sample, Text
from er_bench.scorers.goals import predicates_of
from er_bench.tasks.base.home import HomeEpisode
from er_bench.tasks.eb_habitat import domain, pickles
from er_bench.worlds.home.apartment import KIND_OF, Place, beside, furnish
from er_bench.worlds.home.oracle_rearrange import plan
from er_bench.worlds.home.rearrange import FRIDGE, FRIDGE_DOOR, RearrangeSkills
from er_bench.worlds.home.skills import conditions, start
from er_bench.worlds.home.world import KINDS, Room, Thing, World, room_to_json, thing_to_json

PER_SUBSET = 50
"""Episodes of each released file."""
MARGIN_M = 1.2
"""From the outermost furniture to the walls."""
_NAMES = domain.RECEPTACLES | domain.CABINETS | {domain.FRIDGE: FRIDGE_DOOR}
_KITCHEN = (
    "right counter in the kitchen",
    "sink in the kitchen",
    "left counter in the kitchen",
)
_KNOWN = frozenset(
    {
        "on_top",
        "not_holding",
        "holding",
        "robot_at",
        "opened_fridge",
        "closed_fridge",
        "opened_cab",
        "closed_cab",
        "in",
        "at",
    }
)

Points = NDArray[np.float64]


class Refused(Exception):
    """An episode that the home cannot represent; the text says why."""


def samples(found: Sequence[tuple[str, Path]]) -> Iterator[Sample[HomeEpisode]]:
    """Every episode of the files; those that cannot be represented carry the reason."""
    episodes = [(s, p, e) for s, p in found for e in pickles.episodes(p)]
    layouts: dict[str, dict[str, list[Points]]] = {}
    for _, _, episode in episodes:
        standing = layouts.setdefault(episode.scene_id, {})
        for handle, receptacle in episode.receptacle_of.items():
            if handle in episode.objects and receptacle in domain.RECEPTACLES:
                where = _ours(episode.objects[handle][:3, 3])
                standing.setdefault(domain.RECEPTACLES[receptacle], []).append(where)
    for subset, path, episode in episodes:
        target: dict[str, object] = {"instruction": episode.instruction, "goal": {}}
        ideal: Sequence[str] = ()
        refused = ""
        try:
            target = _spec(episode, layouts[episode.scene_id])
            ideal = _solved(target)
        except Refused as reason:
            refused = str(reason)
        yield Sample(
            id=f"{subset}/{episode.index}",
            parts=(Text(episode.instruction),),
            target=HomeEpisode(target, tuple(ideal), path, episode.index, refused),
            cluster=episode.scene_id,
            category=subset,
            where=f"{path.name} row {episode.index}",
        )


def _ours(habitat_m: Points) -> Points:
    """Habitat has y up and z towards the viewer; the home has z up."""
    x, y, z = habitat_m
    return np.array([x, -z, y])


def renamed(goal: JsonObject | str) -> dict[str, object] | str:
    """A goal with the names that actions use in place of the data's. Raises Refused."""
    if isinstance(goal, str):
        ((name, arguments),) = predicates_of(goal)
        if name not in _KNOWN:
            raise Refused(f"the home has no predicate {name}")
        return f"{name}({', '.join(_NAMES.get(a, a) for a in arguments)})"
    return {**goal, "sub_exprs": [renamed(part) for part in goal["sub_exprs"]]}


def _spec(
    episode: pickles.HabitatEpisode, standing: Mapping[str, Sequence[Points]]
) -> dict[str, object]:
    """The episode as the home plays it. Raises Refused."""
    places, origin, size = _places(standing)
    things = furnish(places)
    _set_start(things, episode.start_predicates)
    world = World(Room(*size), things)
    for handle, receptacle in episode.receptacle_of.items():
        _stand(world, handle, receptacle, episode.objects.get(handle), origin)
    return {
        "skills": "rearrange",
        "instruction": episode.instruction,
        "goal": renamed(episode.goal),
        "room": room_to_json(world.room),
        "things": [thing_to_json(t) for t in world.things.values()],
    }


def _solved(spec: JsonObject) -> Sequence[str]:
    """The oracle's plan. Raises Refused where the goal cannot be evaluated or reached."""
    skills = start(spec)
    assert isinstance(skills, RearrangeSkills)
    try:
        conditions(spec, skills)
        return plan(skills, spec["goal"])
    except LookupError as error:
        raise Refused(str(error)) from error
    except ValueError as error:
        raise Refused(f"its goal cannot be evaluated: {error}") from error


def _set_start(things: Mapping[str, Thing], predicates: Sequence[str]) -> None:
    for text in predicates:
        if text != f"opened_fridge({domain.FRIDGE})":
            raise Refused(f"the home cannot start with {text}")
        things[FRIDGE].is_open = True


def _places(
    standing: Mapping[str, Sequence[Points]],
) -> tuple[dict[str, Place], Points, tuple[float, float]]:
    """Where the furniture stands, the room's corner in the data's frame, and the room's size."""
    missing = [n for n in KIND_OF if n not in standing and n not in (FRIDGE, "chair 1")]
    if missing:
        raise Refused(f"nothing stands on {', '.join(missing)} in any episode of its scene")
    spans = {n: (np.min(p, axis=0), np.max(p, axis=0)) for n, p in standing.items()}
    centres = {n: (low + high) / 2 for n, (low, high) in spans.items()}
    middle = np.mean(list(centres.values()), axis=0)
    places = {}
    for name, centre in centres.items():
        low, high = spans["right counter in the kitchen" if name in _KITCHEN else name]
        yaw = _facing(high - low, middle - centre)
        places[name] = Place(float(centre[0]), float(centre[1]), yaw)
    left = "left counter in the kitchen"
    step = (KINDS["LeftCounter"].size_m[0] + KINDS["Fridge"].size_m[0]) / 2 + 0.02
    sides = [beside(places[left], s) for s in (step, -step)]
    sink = places["sink in the kitchen"]
    places.setdefault(
        FRIDGE, max(sides, key=lambda p: math.dist((p.x_m, p.y_m), (sink.x_m, sink.y_m)))
    )
    table = places["table 1"]
    chairs = [beside(table, s) for s in (1.1, -1.1)]
    places.setdefault("chair 1", min(chairs, key=lambda p: math.dist((p.x_m, p.y_m), middle[:2])))
    xs, ys = [p.x_m for p in places.values()], [p.y_m for p in places.values()]
    origin = np.array([min(xs) - MARGIN_M, min(ys) - MARGIN_M, 0.0])
    size = (round(max(xs) - origin[0] + MARGIN_M, 3), round(max(ys) - origin[1] + MARGIN_M, 3))
    shifted = {n: Place(p.x_m - origin[0], p.y_m - origin[1], p.yaw_rad) for n, p in places.items()}
    return shifted, origin, size


def _facing(span: Points, inwards: Points) -> float:
    """The yaw whose front is a long side of the span, on the side of the flat's middle."""
    if span[0] >= span[1]:
        return 0.0 if inwards[1] >= 0 else math.pi
    return -math.pi / 2 if inwards[0] >= 0 else math.pi / 2


def _stand(
    world: World, handle: str, receptacle: str, transform: Points | None, origin: Points
) -> None:
    """Put one object where the data has it, kept on the furniture's own top."""
    category, place = domain.category_of(handle), domain.RECEPTACLES.get(receptacle)
    if category is None or place is None or transform is None:
        raise Refused(f"{handle} on {receptacle}: no category, receptacle or transform for it")
    kind, furniture = KINDS[category], world.things[place]
    frame = world.pose(place)
    local = (_ours(transform[:3, 3]) - origin - frame.position_m) @ frame.rotation
    xs, ys = [s[0] for s in furniture.kind.spots], [s[1] for s in furniture.kind.spots]
    at = (
        float(np.clip(local[0], min(xs), max(xs))),
        float(np.clip(local[1], min(ys), max(ys))),
        furniture.kind.spots[0][2],
    )
    world.things[handle] = Thing(handle, kind, kind.colours[0], place, None, at)
