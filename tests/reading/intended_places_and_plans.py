"""Points, boxes and plans as they may be written."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.reading.intended import NOTHING, Intended, Rng, made

ACTIONS = ("find a Mug", "pick up the Mug", "find a Sink", "open the Fridge", "put down the Mug")

# --- places -----------------------------------------------------------------------------------

POINT_FORMS: tuple[tuple[str, Callable[[list[tuple[int, int]]], str]], ...] = (
    ("tuples", lambda xy: "[" + ", ".join(f"({x}, {y})" for x, y in xy) + "]"),
    ("lists", lambda xy: json.dumps([list(p) for p in xy])),
    ("point tag", lambda xy: f"<point>{json.dumps([list(p) for p in xy])}</point>"),
    ("point_2d", lambda xy: json.dumps([{"point_2d": list(p), "label": "cup"} for p in xy])),
    ("x and y", lambda xy: json.dumps([{"x": x, "y": y} for x, y in xy])),
    ("y and x", lambda xy: json.dumps([{"y": y, "x": x} for x, y in xy])),
    ("label, y, x", lambda xy: json.dumps([{"label": "a", "y": y, "x": x} for x, y in xy])),
    ("attributes", lambda xy: "\n".join(f'<point x="{x}" y="{y}" alt="cup">' for x, y in xy)),
    ("attributes, y first", lambda xy: "\n".join(f'<point y="{y}" x="{x}">' for x, y in xy)),
    ("bare attributes", lambda xy: "\n".join(f"x={x} y={y}" for x, y in xy)),
    ("named", lambda xy: "; ".join(f"x: {x}, y: {y}" for x, y in xy)),
    ("full width", lambda xy: "\u3001".join(f"\uff08{x}\uff0c{y}\uff09" for x, y in xy)),
)
BOX_FORMS: tuple[tuple[str, Callable[[list[int]], str]], ...] = (
    ("list", lambda b: json.dumps(b)),
    ("tuple", lambda b: f"({', '.join(map(str, b))})"),
    ("box tag", lambda b: f"<box>[{json.dumps(b)}]</box>"),
    ("corners", lambda b: f"<|box_start|>({b[0]},{b[1]}),({b[2]},{b[3]})<|box_end|>"),
    ("bbox_2d", lambda b: json.dumps([{"bbox_2d": b, "label": "cup"}])),
    ("nested corners", lambda b: json.dumps({"bbox": [b[:2], b[2:]]})),
    ("named corners", lambda b: json.dumps(dict(zip(("x1", "y1", "x2", "y2"), b, strict=True)))),
    (
        "named, y first",
        lambda b: json.dumps({"ymin": b[1], "xmin": b[0], "ymax": b[3], "xmax": b[2]}),
    ),
)
PLACE_BESIDE = (
    "{p}",
    "```json\n{p}\n```",
    "The place is here: {p}.",
    "Sure! {p}\nThese are on the table.",
    "\u4f4d\u7f6e\u662f{p}",
)
PLACE_CORRECTED = (
    "{d}. No wait, {p}",
    "{d} \u2014 correction: {p}",
    "{d}, or rather {p}",
    "Not {d} but {p}",
)


def _placed(rng: Rng, kind: str, form: str, places: str, value: object, draft: str) -> Intended:
    corrected = rng.random() < 0.25
    beside = rng.choice(PLACE_CORRECTED if corrected else PLACE_BESIDE)
    text = beside.format(p=places, d=draft)
    return made(rng, kind, f"{beside!r} / {form}", text, value, draft)


def points_answer(rng: Rng) -> Intended:
    if rng.random() < 0.08:
        return made(rng, "points", "none", "There is no such place.", ((), ()), "(9, 9)")
    xy = [(rng.randint(1, 639), rng.randint(1, 479)) for _ in range(rng.randint(1, 4))]
    form, write = rng.choice(POINT_FORMS)
    return _placed(rng, "points", form, write(xy), (tuple(xy), ()), "(3, 4)")


def boxes_answer(rng: Rng) -> Intended:
    x, y = rng.randint(1, 300), rng.randint(1, 200)
    box = [x, y, x + rng.randint(5, 300), y + rng.randint(5, 200)]
    form, write = rng.choice(BOX_FORMS)
    return _placed(rng, "boxes", form, write(box), ((), (tuple(box),)), "(3, 4, 30, 40)")


# --- plans ------------------------------------------------------------------------------------


def actions_answer(rng: Rng) -> Intended:
    ids = rng.sample(range(len(ACTIONS)), rng.randint(1, 4))
    steps = [{"action_id": i, "action_name": ACTIONS[i]} for i in ids]
    names = [ACTIONS[i] for i in ids]
    draft = json.dumps({"executable_plan": [{"action_id": 0}, {"action_id": 4}]})
    plan = json.dumps({"reasoning": "It's there.", "executable_plan": steps})
    lines = "\n".join(map(json.dumps, steps))
    forms: dict[str, tuple[str, object]] = {
        "plain": (plan, tuple(ids)),
        "fenced": (f"Here you are:\n```json\n{plan}\n```\nDone.", tuple(ids)),
        "single quotes": (str({"executable_plan": steps}), tuple(ids)),
        "trailing comma": (plan[:-2] + ",],}", tuple(ids)),
        "names": (json.dumps({"executable_plan": names}), tuple(ids)),
        "names with a trailing comma": (
            json.dumps({"executable_plan": names})[:-2] + ",]}",
            tuple(ids),
        ),
        "name as id": (
            json.dumps({"executable_plan": [{"action_id": n} for n in names]}),
            tuple(ids),
        ),
        "ids as text": (
            json.dumps({"executable_plan": [{"action_id": str(i)} for i in ids]}),
            tuple(ids),
        ),
        "one step a line": (lines, tuple(ids)),
        "the last of two": (f"{draft}\nThat fails. Better:\n{plan}", tuple(ids)),
        "out of range after": (
            json.dumps({"executable_plan": [*steps, {"action_id": 99}, {"action_id": 0}]}),
            tuple(ids),
        ),
        "lost end of a list": (f"[{lines}", ()),
        "no plan": ("I would find a Mug.", ()),
        "an empty plan": ('{"executable_plan": []}', ()),
        "other names": (json.dumps({"executable_plan": ["dance", *names]}), ()),
    }
    form = rng.choice(list(forms))
    return made(rng, "actions", form, *forms[form], draft=draft)


def skills_answer(rng: Rng) -> Intended:
    steps = [
        {
            "name": rng.choice(("pick", "place", "press", "open_door")),
            "params": {"target_entity_name": k},
        }
        for k in range(1, rng.randint(2, 5))
    ]
    plan, draft = json.dumps(steps), '[{"name": "pull", "params": {}}]'
    lines = "\n".join(map(json.dumps, steps))
    forms: dict[str, tuple[str, object]] = {
        "fenced": (f"```json\n{plan}\n```", steps),
        "bare": (plan, steps),
        "wrapped": (json.dumps({"skill_sequence": steps}), steps),
        "trailing comma": (plan[:-1] + ",\n]", steps),
        "one step a line": (lines, steps),
        "the last of two": (f"```json\n{draft}\n```\nBetter:\n```json\n{plan}\n```", steps),
        "tags as text": (plan.replace(": 1}", ': "1"}'), steps),
        "names as said": (plan.replace("open_door", "Open door"), steps),
        "cut off": (plan[:-1], NOTHING),
        "begun late": (plan[1:], NOTHING),
        "prose": ("First pick it up, then place it.", NOTHING),
    }
    form = rng.choice(list(forms))
    return made(rng, "skills", form, *forms[form], draft=draft)
