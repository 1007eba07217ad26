"""temporary"""
from __future__ import annotations
from typing import Any, Mapping, Sequence

def alfred_goal(task_type: str, params: Mapping[str, Any], objects: Sequence[Mapping[str, Any]], inventory: Sequence[str], changed: Sequence[str]) -> tuple[int, int]:
    sliced = bool(params["object_sliced"])
    name = params["object_target"] + ("Sliced" if sliced else "")
    def having(n: str, prop: str) -> list[Any]:
        return [o for o in objects if n in o["objectId"] and o[prop]]
    pick = having(name, "pickupable")
    recs = having(params["parent_target"], "receptacle") if params["parent_target"] else []
    inside = lambda o: o["receptacleObjectIds"] or []
    s, ts = 0, 0
    if sliced:
        ts = 2 if task_type == "pick_two_obj_and_place" else 1
        n = sum("Sliced" in p["objectId"] for p in pick)
        s = min(n, ts)
    placed = [p["objectId"] for p in pick for r in recs if p["objectId"] in inside(r)]
    if task_type == "pick_and_place_simple":
        return s + bool(placed), ts + 1
    if task_type == "pick_two_obj_and_place":
        best = max((sum(p["objectId"] in inside(r) for p in pick) for r in recs), default=0)
        return s + min(best, 2), ts + 2
    if task_type == "look_at_obj_in_light":
        held = any(p["objectId"] in inventory for p in pick)
        lit = any(t["isToggled"] and t["visible"] for t in having(params["toggle_target"], "toggleable"))
        return s + held + lit, ts + 2
    if task_type == "pick_and_place_with_movable_recep":
        mov = having(params["mrecep_target"], "pickupable")
        a = any(p["objectId"] in inside(m) for p in pick for m in mov)
        b = any(m["objectId"] in inside(r) for m in mov for r in recs)
        c = any(any(p["objectId"] in inside(m) for p in pick) and any(r["objectId"] in (m["parentReceptacles"] or []) for r in recs) for m in mov)
        return s + a + b + c, ts + 3
    done = [p["objectId"] for p in pick if p["objectId"] in changed]
    return s + bool(placed) + bool(done) + any(p in done for p in placed), ts + 3
