import pytest

from er_bench.scorers.goals import alfred_conditions
from er_bench.worlds.home.alfred import (
    GLOBAL_ACTIONS,
    SUCCESS,
    AlfredSkills,
    action_names,
    instance_names,
    metadata,
)
from er_bench.worlds.home.rooms import furnish
from er_bench.worlds.home.world import KINDS, Thing, World

FAILED = "Last action is invalid. "


def home(*things: tuple[str, str, str], room: str = "kitchen") -> AlfredSkills:
    """A room with things `(id, kind, receptacle)` added, cabinets and drawers closed."""
    walls, furniture = furnish(room, 0)
    world = World(walls, furniture)
    for thing_id, kind, receptacle in things:
        spot = world.free_spots(receptacle)[0]
        world.things[thing_id] = Thing(
            thing_id, KINDS[kind], KINDS[kind].colours[0], receptacle, spot
        )
    return AlfredSkills(world)


def do(skills: AlfredSkills, *actions: str) -> str:
    """The feedback of the last action."""
    feedback = ""
    for name in actions:
        _, feedback = skills.step(name)
    return feedback


@pytest.fixture
def kitchen() -> AlfredSkills:
    return home(
        ("Apple|01", "Apple", "DiningTable|01"),
        ("Knife|01", "Knife", "CounterTop|01"),
        ("Egg|01", "Egg", "Cabinet|02"),
    )


def test_names_of_instances_follow_the_order_of_the_world(kitchen):
    names = instance_names(kitchen.world.things.values())
    assert names["Cabinet"] == "Cabinet|01" and names["Cabinet_4"] == "Cabinet|04"
    assert "Fridge" not in names and "Faucet" not in names


def test_further_actions_stand_behind_the_global_ones_sorted_as_text():
    apples = [(f"Apple|{k:02d}", "Apple", "DiningTable|01") for k in range(1, 12)]
    further = action_names(home(*apples).world)[len(GLOBAL_ACTIONS) :]
    cabinets = [name for name in further if "Cabinet" in name]
    assert cabinets[:3] == ["find a Cabinet_2", "find a Cabinet_3", "find a Cabinet_4"]
    assert cabinets[3:5] == ["open the Cabinet_2", "close the Cabinet_2"]
    assert further[-1] == "find a Apple_11" and "pick up the Apple_2" not in further


def test_a_thing_is_picked_up_where_it_is_seen(kitchen):
    told = do(kitchen, "pick up the Apple")
    assert told == FAILED + (
        "Apple is not visible because it is in DiningTable. Go there to pick the object instead."
    )
    assert do(kitchen, "find a Apple", "pick up the Apple") == SUCCESS
    assert kitchen.world.held == "Apple|01"
    told = do(kitchen, "find a Knife", "pick up the Knife")
    assert told == FAILED + "Robot is currently holding Apple"


def test_a_closed_door_hides(kitchen):
    told = do(kitchen, "find a Egg", "pick up the Egg")
    assert told == FAILED + (
        "Egg is not visible because it is in Cabinet_2. Go there to pick the object instead."
    )
    assert do(kitchen, "open the Cabinet_2", "pick up the Egg") == SUCCESS


def test_what_is_not_there_is_not_found(kitchen):
    assert do(kitchen, "find a Pillow") == FAILED + (
        "Cannot find Pillow. This object may not exist in this scene. "
        "Try to explore other instances instead."
    )
    assert do(kitchen, "pick up the Pillow") == FAILED + (
        "Cannot find Pillow to pick up. Find the object before picking up it"
    )


def test_putting_needs_a_place_and_an_open_door(kitchen):
    assert do(kitchen, "put down the object in hand") == FAILED + "Robot is not holding any object"
    told = do(
        kitchen, "find a Apple", "pick up the Apple", "find a Fridge", "put down the object in hand"
    )
    assert told == FAILED + (
        "Putting the object on Fridge failed. First check whether the receptacle is open or not. "
        "Also try other instances of the receptacle"
    )
    assert do(kitchen, "open the Fridge", "put down the object in hand") == SUCCESS
    assert kitchen.world.things["Apple|01"].parent == "Fridge|01"


def test_the_third_failed_put_drops_the_thing(kitchen):
    put = ["find a Fridge", "put down the object in hand"]
    told = do(kitchen, "find a Apple", "pick up the Apple", *put * 3)
    assert told.endswith("receptacle. The robot dropped the object instead.")
    assert kitchen.world.held is None and kitchen.world.things["Apple|01"].parent is None


def test_a_put_after_anything_but_find_and_open_is_a_drop(kitchen):
    do(
        kitchen,
        "find a Apple",
        "pick up the Apple",
        "find a Microwave",
        "open the Microwave",
        "close the Microwave",
    )
    assert do(kitchen, "put down the object in hand") == SUCCESS
    assert kitchen.world.things["Apple|01"].parent is None
    assert do(kitchen, "drop the object in hand") == FAILED + "Drop action failed"


def test_doors_tell_what_they_are(kitchen):
    assert do(kitchen, "open the Safe") == FAILED + (
        "Cannot find Safe to open. Find the object before opening it"
    )
    assert do(kitchen, "find a Safe", "close the Safe") == FAILED + (
        "Close action failed. The Safe is already closed"
    )
    assert do(kitchen, "open the Safe") == SUCCESS
    assert do(kitchen, "open the Safe") == FAILED + "Open action failed. The Safe is already open"


def test_a_microwave_heats_when_closed_and_on(kitchen):
    apple = kitchen.world.things["Apple|01"]
    do(
        kitchen,
        "find a Apple",
        "pick up the Apple",
        "find a Microwave",
        "open the Microwave",
        "put down the object in hand",
    )
    assert do(kitchen, "turn on the Microwave") == FAILED + "Turn on action failed"
    assert not apple.marks
    assert do(kitchen, "close the Microwave", "turn on the Microwave") == SUCCESS
    assert apple.marks == {"heated"}
    assert do(kitchen, "open the Microwave") == FAILED + "Open action failed."


def test_a_fridge_cools_when_it_is_closed_and_a_faucet_washes(kitchen):
    apple = kitchen.world.things["Apple|01"]
    do(
        kitchen,
        "find a Apple",
        "pick up the Apple",
        "find a Fridge",
        "open the Fridge",
        "put down the object in hand",
    )
    assert not apple.marks
    do(kitchen, "close the Fridge")
    assert apple.marks == {"cooled"}
    do(
        kitchen,
        "open the Fridge",
        "pick up the Apple",
        "find a Sink",
        "put down the object in hand",
        "find a Faucet",
        "turn on the Faucet",
    )
    assert apple.marks == {"cooled", "cleaned"}


def test_slicing_takes_a_knife(kitchen):
    assert do(kitchen, "find a Apple", "slice the Apple") == FAILED + "Slice action failed"
    told = do(kitchen, "find a Knife", "pick up the Knife", "find a Apple", "slice the Apple")
    assert told == SUCCESS
    ids = [o["objectId"] for o in metadata(kitchen.world)["objects"]]
    assert "Apple|01|AppleSliced_1" in ids


def test_a_lamp_counts_when_it_is_on_and_in_view():
    skills = home(("Book|01", "Book", "CoffeeTable|01"), room="living")
    goal = {"object_target": "Book", "parent_target": "", "toggle_target": "FloorLamp"}
    do(skills, "find a Book", "pick up the Book", "find a FloorLamp", "turn on the FloorLamp")
    assert alfred_conditions("look_at_obj_in_light", goal, metadata(skills.world)) == (2, 2)
    do(skills, "find a GarbageCan")
    assert alfred_conditions("look_at_obj_in_light", goal, metadata(skills.world)) == (1, 2)


def test_what_stands_behind_something_is_not_visible(kitchen):
    world = kitchen.world
    world.go("Apple|01")
    assert world.visible("Apple|01")
    apple = world.centre("Apple|01")
    way = (apple[:2] - world.eye_xy) * 0.6 + world.eye_xy
    world.things["Safe|01"].at_m = (float(way[0]), float(way[1]), 0.7)
    world.changed()
    assert not world.visible("Apple|01")


def test_a_carried_bowl_takes_its_content_along():
    skills = home(("Bowl|01", "Bowl", "DiningTable|01"), ("Egg|01", "Egg", "CounterTop|02"))
    do(
        skills,
        "find a Egg",
        "pick up the Egg",
        "find a Bowl",
        "put down the object in hand",
        "pick up the Bowl",
        "find a Cart",
        "put down the object in hand",
    )
    egg = next(o for o in metadata(skills.world)["objects"] if o["objectId"] == "Egg|01")
    assert egg["parentReceptacles"] == ["Bowl|01", "Cart|01"]


def test_fixtures_take_up_room(kitchen):
    counter = next(t.parent for t in kitchen.world.things.values() if t.kind.name == "Microwave")
    n_spots = len(KINDS["CounterTop"].spots)
    assert 0 < len(kitchen.world.free_spots(counter)) <= n_spots // 2
