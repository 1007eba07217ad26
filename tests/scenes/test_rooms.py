import random

import pytest

from er_bench.scenes.questions import balanced_letters, options
from er_bench.scenes.rooms import (
    MARGIN_PX,
    PX_PER_M,
    bearing_deg,
    distance_m,
    draw_room,
    random_room,
)
from er_bench.scenes.shapes import COLOURS, Thing


def thing(x_m, y_m):
    return Thing("red", "circle", (x_m * PX_PER_M, y_m * PX_PER_M), 10)


@pytest.mark.parametrize(
    ("target", "bearing"),
    [((5, 0), 0), ((2, 3), 90), ((2, -3), -90), ((-1, 0), 180), ((4, 2), 45), ((0, -2), -135)],
)
def test_bearings_turn_clockwise_seen_from_above(target, bearing):
    found = bearing_deg(thing(2, 0), thing(4, 0), thing(*target))
    assert (found - bearing) % 360 == pytest.approx(0, abs=1e-9)


def test_a_room_is_drawn_to_scale():
    labels = [("red", "circle"), ("blue", "square")]
    room = random_room(random.Random(1), 6, 4, labels)
    image = draw_room(room)
    assert image.size == (6 * PX_PER_M + 2 * MARGIN_PX, 4 * PX_PER_M + 2 * MARGIN_PX)
    assert room.area_m2 == 24
    for label, found in room.things().items():
        x, y = (round(v) + MARGIN_PX for v in found.centre_px_xy)
        assert image.getpixel((x, y)) == COLOURS[label.split()[0]]
    assert distance_m(thing(0, 0), thing(3, 4)) == 5


def test_the_right_option_stands_at_its_letter():
    rng = random.Random(3)
    letters = balanced_letters(rng, 12)
    assert sorted(letters) == sorted("ABCD" * 3)
    for letter in letters:
        found = options(rng, "right", ["x", "y", "z", "w"], letter)
        assert found[letter] == "right" and len(set(found.values())) == 4
    with pytest.raises(ValueError, match="right and wrong"):
        options(rng, "x", ["x", "y", "z"], "A")
