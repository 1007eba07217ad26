"""temporary"""
from typing import Any, Mapping
from er_bench.sim.home.goals_tmp import alfred_goal
def goal_conditions(goal: Mapping[str, Any], world: Mapping[str, Any]) -> tuple[int,int]:
    key={"pick_heat_then_place_in_recep":"heated","pick_cool_then_place_in_recep":"cooled","pick_clean_then_place_in_recep":"cleaned"}.get(goal["task_type"],"cleaned")
    return alfred_goal(goal["task_type"],goal,world["objects"],world["inventory"],world[key])
