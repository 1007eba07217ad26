"""A planner that reads the instruction and the action names and never looks.

It knows what the words mean, descriptions included, and nothing about the room: a floor for
planners that see. It cannot go by the feedback either: it writes one plan for the whole episode.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from er_bench.worlds.home.categories import CATEGORIES
from er_bench.worlds.home.descriptions import (
    CATEGORY_DESCRIPTIONS,
    DESCRIPTIONS,
    PLACE_DESCRIPTIONS,
    plain,
)
from er_bench.worlds.home.furniture import FURNITURE, SCENERY
from er_bench.worlds.home.objects import OBJECTS
from er_bench.worlds.home.rearrange import CABINETS, FRIDGE, FRIDGE_DOOR, RECEPTACLES

_FURNITURE = {n: k for n, k in FURNITURE.items() if n not in SCENERY}


def _mentions(text: str, words: Mapping[str, Sequence[str]]) -> list[str]:
    """Names in the order in which one of their words first occurs; longer words win."""
    ranked = sorted(
        ((w.lower(), n) for n, ws in words.items() for w in ws), key=lambda p: -len(p[0])
    )
    found: list[tuple[int, str]] = []
    text = text.lower()
    for word, name in ranked:
        match = re.search(rf"\b{re.escape(word)}\b", text)
        if match:
            found.append((match.start(), name))
            text = text[: match.start()] + "\0" * len(word) + text[match.end() :]
    return list(dict.fromkeys(name for _, name in sorted(found)))


def _said(names: Mapping[str, object], descriptions: Mapping[str, str]) -> dict[str, list[str]]:
    return {n: [plain(n), *([descriptions[n]] if n in descriptions else [])] for n in names}


def alfred_plan(instruction: str) -> list[str]:
    """Action names of the `alfred` skills."""
    text = instruction.lower()
    said = _said(OBJECTS, DESCRIPTIONS)
    for name in ("Bread", "Lettuce"):
        said[name].append(name.lower())
    things = _mentions(text, said)
    places = _mentions(text, _said(_FURNITURE, DESCRIPTIONS))
    if not things:
        return []
    what = things[0]
    steps: list[str] = []
    if "slice of" in text or "cutting" in text:
        steps = [*_take("Knife"), f"find a {what}", f"slice the {what}", *_put("CounterTop")]
    steps += _take(what)
    lamps = [p for p in places if p.endswith("Lamp")]
    if "light" in text and lamps:
        return [*steps, f"find a {lamps[0]}", f"turn on the {lamps[0]}"]
    steps += _treatment(text, what)
    if "take the" in text and len(things) > 1:
        steps += [*_put(things[1]), f"pick up the {things[1]}"]
    target = places[-1] if places else "CounterTop"
    steps += _put(target)
    return steps + (_take(what) + _put(target) if "both" in text else [])


def _take(name: str) -> list[str]:
    return [f"find a {name}", f"pick up the {name}"]


def _put(name: str) -> list[str]:
    kind = FURNITURE.get(name) or OBJECTS[name]
    opening = [f"open the {name}"] if kind.openable and not kind.pickupable else []
    return [f"find a {name}", *opening, "put down the object in hand"]


def _treatment(text: str, what: str) -> list[str]:
    pick = f"pick up the {what}"
    if re.search(r"\b(heated|warm)\b", text):
        switch = ["close the Microwave", "turn on the Microwave", "turn off the Microwave"]
        return [*_put("Microwave"), *switch, "open the Microwave", pick, "close the Microwave"]
    if re.search(r"\b(chilled|chill)\b", text):
        return [*_put("Fridge"), "close the Fridge", "open the Fridge", pick, "close the Fridge"]
    if re.search(r"\b(washed|wash)\b", text):
        water = ["find a Faucet", "turn on the Faucet", "turn off the Faucet"]
        return [*_put("Sink"), *water, f"find a {what}", pick]
    return []


_PLACES: dict[str, list[str]] = {
    name: [name, *([PLACE_DESCRIPTIONS[name]] if name in PLACE_DESCRIPTIONS else [])]
    for name in RECEPTACLES
}
_PLACES["left counter in the kitchen"] += ["left counter", "left of the sink"]
_PLACES["right counter in the kitchen"] += ["right counter", "right of the sink"]
_PLACES["sink in the kitchen"] += ["sink"]
_PLACES["table 1"] += ["black table"]
_PLACES["table 2"] += ["brown table"]
_GUESS = "table 1"


def rearrange_plan(instruction: str) -> list[str]:
    """Action names of the `rearrange` skills; things are looked for where they are said to be."""
    words = {
        n: [n, *([CATEGORY_DESCRIPTIONS[n]] if n in CATEGORY_DESCRIPTIONS else [])]
        for n in CATEGORIES
    }
    things, places = _mentions(instruction, words), _mentions(instruction, _PLACES)
    if not things:
        return []
    target = places[-1] if places else "sofa"
    steps: list[str] = []
    for thing in things:
        source = next((p for p in places if p != target), _GUESS)
        cabinet = next((c for c, t in CABINETS.items() if t == source), None)
        if cabinet:
            steps += [f"navigate to the {cabinet}", f"open the {cabinet}"]
        else:
            steps.append(f"navigate to the {source}")
        steps += [f"pick up the {thing}", f"navigate to the {target}", f"place at the {target}"]
    if "shut" in instruction:
        steps += [f"navigate to the {FRIDGE_DOOR}", f"close the {FRIDGE}"]
    return steps
