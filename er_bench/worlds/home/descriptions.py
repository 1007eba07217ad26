"""English for kinds: plain names, and descriptions that take common sense."""

from __future__ import annotations

import re

_PLAIN = {
    "CD": "CD",
    "CellPhone": "phone",
    "DishSponge": "sponge",
    "TVStand": "TV stand",
    "KeyChain": "set of keys",
    "SoapBar": "bar of soap",
    "ToiletPaper": "roll of toilet paper",
    "Bread": "loaf of bread",
    "Lettuce": "head of lettuce",
    "CounterTop": "counter",
}

DESCRIPTIONS = {
    "Apple": "the fruit that is said to keep the doctor away",
    "Tomato": "the red fruit that ketchup is made of",
    "Potato": "the vegetable that fries are made of",
    "Lettuce": "the leafy green that a salad starts with",
    "Bread": "what one toasts for breakfast",
    "Egg": "what a hen lays",
    "Mug": "the thing with a handle that one drinks hot coffee from",
    "Bowl": "the deep round dish for soup or cereal",
    "Plate": "the flat round dish that dinner is served on",
    "Knife": "the sharp tool for carving meat",
    "Fork": "the piece of cutlery with prongs",
    "Spoon": "the piece of cutlery for eating soup",
    "Book": "the thing with pages that one reads",
    "CellPhone": "the device that one makes calls with",
    "RemoteControl": "the device that changes the TV channel",
    "AlarmClock": "the thing that wakes one in the morning",
    "Pillow": "the soft thing that one lays the head on at night",
    "Laptop": "the portable computer",
    "Candle": "the wax thing with a wick",
    "SoapBar": "the solid block that one washes hands with",
    "Cloth": "the piece of fabric for wiping surfaces",
    "ToiletPaper": "the paper roll that every bathroom needs",
    "KeyChain": "what unlocks the front door",
    "CreditCard": "the plastic card that one pays with",
    "Pen": "the thing that one signs a letter with in ink",
    "Vase": "the vessel for cut flowers",
    "DishSponge": "the soft block that one scrubs dishes with",
    "Kettle": "the vessel that one boils water for tea in",
    "BasketBall": "the ball that one shoots through a hoop",
    "WateringCan": "the vessel that keeps the garden from drying out",
    "Fridge": "the appliance that keeps food cold",
    "Microwave": "the appliance that warms food in minutes",
    "GarbageCan": "the place where rubbish goes",
    "Sofa": "the long seat where the family watches TV",
    "Bed": "the piece of furniture that one sleeps on",
    "Desk": "the table that one works at",
    "DiningTable": "the table where the family eats",
    "CoffeeTable": "the low table in the middle of the living room",
    "Sink": "the basin where dishes are washed",
    "Safe": "the locked box for valuables",
    "Bathtub": "the place where one lies in warm water",
    "Toilet": "the seat that one flushes",
    "ArmChair": "the padded seat for one person",
    "Dresser": "the chest where clothes are kept",
    "CounterTop": "the surface in the kitchen where food is prepared",
    "DeskLamp": "the light on the table",
    "FloorLamp": "the tall light that stands on the floor",
    "Cart": "the little table that one can push around",
    "Ottoman": "the padded stool for tired feet",
}


def plain(kind_name: str) -> str:
    """The plain name of a kind: `DiningTable` is `dining table`."""
    if kind_name in _PLAIN:
        return _PLAIN[kind_name]
    return re.sub(r"(?<!^)(?=[A-Z])", " ", kind_name).lower()


def a(kind_name: str) -> str:
    """The plain name with its article."""
    word = plain(kind_name)
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def onto(kind_name: str) -> str:
    """The preposition that goes with a receptacle."""
    inside = ("Cabinet", "Drawer", "Fridge", "Microwave", "Safe", "GarbageCan", "Sink", "Bathtub")
    return "in" if kind_name in (*inside, "Box", "Bowl", "Pot", "Mug", "Cup") else "on"


FRAMES = (
    "I have guests tonight and want the place tidy. {} Nothing else needs to be touched.",
    "Never mind the mess elsewhere, I will see to it. {} Then you are done.",
    "My hands are full at the moment, so please help me with one thing: {}",
    "Yesterday I asked for the opposite, but I changed my mind. {} Leave everything else as it is.",
    "{} I know it is late, and I promise that this is the last request of the day.",
)
"""Talk around an instruction that changes nothing about what is to be done."""

CATEGORY_DESCRIPTIONS = {
    "ball": "the round toy that one throws and catches",
    "clamp": "the tool that holds two boards together while the glue dries",
    "hammer": "the tool that drives nails",
    "screwdriver": "the tool that turns screws",
    "padlock": "the thing that keeps a bicycle from being stolen",
    "scissors": "the tool with two blades that cuts paper",
    "block": "the wooden cube that children stack",
    "drill": "the power tool that makes holes",
    "spatula": "the flat tool that turns pancakes",
    "knife": "the sharp tool that slices bread",
    "spoon": "the cutlery for soup",
    "plate": "the flat dish that dinner is served on",
    "sponge": "the soft block that one scrubs dishes with",
    "cleanser": "the bottle of cleaning agent",
    "plum": "the purple fruit that prunes are made of",
    "pear": "the green fruit with a thin neck",
    "peach": "the soft fruit with a fuzzy skin",
    "apple": "the fruit that is said to keep the doctor away",
    "lemon": "the sour yellow fruit",
    "can": "the tin that keeps food for years",
    "box": "the cardboard package from the grocery",
    "banana": "the long yellow fruit that one peels",
    "strawberry": "the small red fruit with seeds on its skin",
    "lego": "the toy brick that clicks onto others",
    "rubriks cube": "the puzzle with six coloured sides that one twists",
    "book": "the thing with pages that one reads",
    "bowl": "the deep dish for cereal",
    "cup": "the vessel without a handle that one drinks from",
    "mug": "the thing with a handle for hot coffee",
    "orange": "the citrus fruit that juice is made of for breakfast",
    "lid": "the thing that covers a pan",
    "toy airplane": "the toy with wings",
    "wrench": "the tool that turns nuts and bolts",
}
PLACE_DESCRIPTIONS = {
    "sofa": "the seat where several people watch TV together",
    "TV stand": "the furniture under the screen",
    "sink in the kitchen": "the basin where dishes are washed",
    "refrigerator": "the appliance that keeps food cold",
    "chair 1": "the seat for one",
}
