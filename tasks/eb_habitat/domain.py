"""EB-Habitat's fixed names: 70 actions, 33 categories, the receptacles of ReplicaCAD.

EmbodiedBench `envs/eb_habitat` (EBHabEnv.py, config/dataset.yaml,
config/pddl_domain_replica_cad.yaml), commit b247936; habitat-lab 0.3.0 enumerates the actions in
the domain's order, each over its entities in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CATEGORIES: dict[str, tuple[str, ...]] = {
    "ball": ("053_mini_soccer_ball", "054_softball", "055_baseball", "056_tennis_ball",
             "057_racquetball"),
    "clamp": ("050_medium_clamp", "051_large_clamp", "052_extra_large_clamp"),
    "hammer": ("048_hammer",),
    "screwdriver": ("043_phillips_screwdriver", "044_flat_screwdriver"),
    "padlock": ("038_padlock",),
    "scissors": ("037_scissors",),
    "block": ("036_wood_block", "070-a_colored_wood_blocks", "070-b_colored_wood_blocks"),
    "drill": ("035_power_drill",),
    "spatula": ("033_spatula",),
    "knife": ("032_knife",),
    "spoon": ("031_spoon",),
    "plate": ("029_plate",),
    "sponge": ("026_sponge",),
    "cleanser": ("021_bleach_cleanser",),
    "plum": ("018_plum",),
    "pear": ("016_pear",),
    "peach": ("015_peach",),
    "apple": ("013_apple",),
    "lemon": ("014_lemon",),
    "can": ("002_master_chef_can", "005_tomato_soup_can", "007_tuna_fish_can",
            "010_potted_meat_can"),
    "box": ("003_cracker_box", "004_sugar_box", "008_pudding_box", "009_gelatin_box"),
    "banana": ("011_banana",),
    "strawberry": ("012_strawberry",),
    "lego": tuple(f"073-{letter}_lego_duplo" for letter in "abcdefg"),
    "rubriks cube": ("077_rubiks_cube",),
    "book": tuple(f"frl_apartment_book_0{n}" for n in range(1, 7)),
    "bowl": (*(f"frl_apartment_bowl_0{n}" for n in (1, 2, 3, 6, 7)), "024_bowl"),
    "cup": (*(f"065-{letter}_cups" for letter in "abcdefghij"),
            *(f"frl_apartment_cup_0{n}" for n in (1, 2, 3, 5))),
    "mug": ("025_mug",),
    "orange": ("017_orange",),
    "lid": ("028_skillet_lid",),
    "toy airplane": tuple(f"072-{letter}_toy_airplane" for letter in "abcde"),
    "wrench": ("042_adjustable_wrench",),
}  # fmt: skip
"""Parts of object handles, by category, in the order of the pick actions (`all_cats`)."""

CABINETS: dict[str, str] = {f"cab_push_point_{n}": f"cabinet {n}" for n in (7, 6, 5, 4)}
FRIDGE = "fridge_push_point"
RECEPTACLES: dict[str, str] = {
    "receptacle_aabb_Chr1_Top1_frl_apartment_chair_01": "chair 1",
    "receptacle_aabb_Tbl1_Top1_frl_apartment_table_01": "table 1",
    "receptacle_aabb_Tbl2_Top1_frl_apartment_table_02": "table 2",
    "receptacle_aabb_TvStnd1_Top1_frl_apartment_tvstand": "TV stand",
    "receptacle_aabb_sink_kitchen_counter": "sink in the kitchen",
    "receptacle_aabb_counter_right_kitchen_counter": "right counter in the kitchen",
    "receptacle_aabb_counter_left_kitchen_counter": "left counter in the kitchen",
    "receptacle_aabb_Sofa_frl_apartment_sofa": "sofa",
    "receptacle_aabb_middle_topfrl_apartment_refrigerator": "refrigerator",
    "receptacle_aabb_drawer_left_top_frl_apartment_kitchen_counter": (
        "left drawer of the kitchen counter"
    ),
    "receptacle_aabb_drawer_right_top_frl_apartment_kitchen_counter": (
        "right drawer of the kitchen counter"
    ),
}
"""Where things can be placed, by the domain's name, with the name that actions use."""


def _actions() -> tuple[str, ...]:
    goals = [*CABINETS.values(), "refrigerator push point", *RECEPTACLES.values()]
    doors = [
        f"{verb} the {name}"
        for names in (["refrigerator"], list(CABINETS.values()))
        for verb in ("open", "close")
        for name in names
    ]
    return (
        *(f"navigate to the {name}" for name in goals),
        *(f"pick up the {name}" for name in CATEGORIES),
        *(f"place at the {name}" for name in RECEPTACLES.values()),
        *doors,
    )


ACTIONS = _actions()
"""The 70 actions, by id."""


def category_of(handle: str) -> str | None:
    """The category of an object handle such as `013_apple_:0000`; None for furniture parts."""
    for category, parts in CATEGORIES.items():
        if any(part in handle for part in parts):
            return category
    return None


def entities(handles: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The object handles of each category, for `er_bench.scorers.goals.goal_holds`."""
    found: dict[str, list[str]] = {category: [] for category in CATEGORIES}
    for handle in handles:
        category = category_of(handle)
        if category is not None:
            found[category].append(handle)
    return found
